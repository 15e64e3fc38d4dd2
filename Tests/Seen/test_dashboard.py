#!/usr/bin/python3
"""The dashboard as people see it: a real browser shows the page's very bytes under its policy."""

from __future__ import annotations

import re
import sys
import unittest
import urllib.request

sys.dont_write_bytecode = True

import browser
import states
from browser import ENTER, TAB, Browser, until
from states import HOSTILE, ROOT, Server
from web import WebNode

PICTURES = ROOT / ".build" / "screenshots"
WIDTHS = [360, 768, 1280, 2560]
chromium: Browser


def setUpModule() -> None:
    global chromium
    reason = browser.why_not()
    if reason:
        print(f"Tests/Seen: skipped: {reason}", file=sys.stderr)
        raise unittest.SkipTest(reason)
    chromium = Browser()
    unittest.addModuleCleanup(chromium.close)


def texts(selector: str) -> list[str]:
    return chromium.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)


def text(selector: str) -> str:
    return chromium.run("return document.querySelector(arguments[0]).textContent", selector)


class PageTest(unittest.TestCase):
    def setUp(self) -> None:
        chromium.prefer(color_scheme="light")
        chromium.size(1280)

    def show(self, fixture, past: int = 0) -> Server:
        """Opens the page at a server of these states, and waits until it shows the last of the past."""
        server = Server(fixture)
        server.past = past
        self.addCleanup(server.close)
        chromium.log()
        chromium.open(server.url)
        until(lambda: text("#link") == "Live" and server.second > past + 2, "a state on the page")
        return server

    def expect_silence(self) -> None:
        """Neither errors of the script nor violations of the policy."""
        self.assertEqual(chromium.log(), [])


class TextTest(PageTest):
    def test_all_parts_are_there(self) -> None:
        self.show(states.three)
        self.assertEqual(text("h1"), "alpha")
        self.assertEqual(chromium.run("return document.title"), "alpha: well")
        self.assertEqual(texts("h2")[0], "✓All is well")
        self.assertEqual(
            texts("h2")[1:],
            ["Peers", "Not on the list", "Traffic", "Refused datagrams", "Key space", "Records kept here",
             "Time to an answer", "Last events"],
        )
        self.assertEqual(text("#also"), "2 of 3 peers answer.")
        page = chromium.run("return document.body.innerText")
        for wanted in ["10.0.0.1:4100", "0f3a9c41", "3 d 5 h", "gamma", "quiet for 16 min", "FIND_VALUE",
                       "192.0.2.77:51820", "192.0.2.9:4100", "gamma does not answer", "95 % within 100 ms"]:
            self.assertIn(wanted, page)
        # A reason that never was is not listed.
        self.assertEqual(texts("#refusal-rows th"), ["header", "admission", "replay"])
        self.assertEqual(chromium.run("return document.querySelector('#tools').hidden"), True)
        self.expect_silence()

    def test_a_sick_node_says_why_and_what_to_type(self) -> None:
        self.show(states.sick)
        self.assertEqual(text("#well"), "Not well")
        self.assertEqual(
            texts("#reasons li"),
            ["isolated: none of 3 members answersNext, type dht peers -v",
             "disk: nothing is kept: the disk is fullNext, type df -h /var/lib/dht"],
        )
        self.assertEqual(chromium.run("return document.title"), "alpha: not well")
        self.assertIn("nearly full", text("#record-pairs"))
        self.expect_silence()

    def test_a_node_without_anything_says_so(self) -> None:
        self.show(states.alone)
        page = chromium.run("return document.body.innerText")
        for wanted in ["It knows no peers yet.", "No peer is known yet.", "Nobody since the start.",
                       "None since the start.", "No answers yet.", "not known"]:
            self.assertIn(wanted, page)
        self.assertNotIn("null", page)
        self.assertNotIn("NaN", page)
        self.assertNotIn("undefined", page)
        self.expect_silence()

    def test_hostile_names_are_text(self) -> None:
        self.show(states.hostile)
        self.assertEqual(text("h1"), HOSTILE)
        self.assertEqual(text("#reasons code"), HOSTILE)
        self.assertIn(HOSTILE, texts("#peer-rows th span"))
        self.assertIn("</script><script>alert(2)</script>", texts("#peer-rows th span"))
        self.assertIn("'\"&amp;\ufffdgnp.exe", texts("#peer-rows th span"))
        self.assertIn(HOSTILE, text("#event-rows"))
        self.assertIn(HOSTILE, text("#refusal-rows"))
        self.assertIn(HOSTILE, text("#knock-rows"))
        self.assertIn(HOSTILE, text("#traffic-rows"))
        self.assertEqual(sorted(texts("#peer-rows td:nth-child(2) .mark + span")),
                         ["good", "good", "good", "unknown", "unknown"])
        made = "return document.querySelectorAll('img, script:not(:last-of-type), iframe, a:not(.skip)').length"
        self.assertEqual(chromium.run(made), 0)
        self.expect_silence()

    def test_the_policy_stops_a_script_that_is_not_the_page_s(self) -> None:
        self.show(states.three)
        chromium.run("""
            const s = document.createElement('script'); s.textContent = 'document.title = "taken"';
            document.body.append(s)""")
        self.assertEqual(chromium.run("return document.title"), "alpha: well")
        self.assertTrue(any("Content Security Policy" in line for line in chromium.log()))

    def test_an_error_would_be_seen(self) -> None:
        self.show(lambda second: states.three(second) | {"records": None})
        self.assertTrue(until(chromium.log, "an error in the log"))


class FigureTest(PageTest):
    def test_rates_are_differences_of_successive_states(self) -> None:
        self.show(states.three, past=20)
        rows = dict(zip(texts("#traffic-rows th"), chromium.run(
            "return [...document.querySelectorAll('#traffic-rows tr')].map((r) =>"
            " [1, 2, 3].map((i) => r.children[i].firstChild.textContent))")))
        self.assertEqual(rows["PING"][:2], ["1.0", "2.0"])
        self.assertEqual(rows["FIND_NODE"][:2], ["4.0", "8.0"])
        self.assertEqual(rows["FIND_VALUE"], ["25", "50", "0.5"])
        self.assertEqual(rows["PASS_ON"], ["0", "0", "0"])
        # 1 + 4 + 25 + 0.5, and one refused datagram a second.
        self.assertIn(texts("#figures dd:nth-of-type(1)")[3], ["30", "31"])
        self.assertEqual(texts("#figures dd:nth-of-type(1)")[5], "1.0")

    def test_a_node_that_began_anew_has_no_rate_of_before(self) -> None:
        def states_of(second: int) -> dict:
            found = states.three(second)
            if second > 20:
                for each in found["rpcs"]:
                    each |= {"outbound": 0, "inbound": 0, "timed_out": 0}
                found["uptime_ms"] = 1000 * (second - 20)
            return found

        self.show(states_of, past=25)
        self.assertEqual(texts("#figures dd:nth-of-type(1)")[3], "0")

    def test_the_histogram_is_the_sum_of_all_operations(self) -> None:
        frozen = states.three(0)
        self.show(lambda second: frozen | {"time": frozen["time"] + second * 1000})
        sums = [sum(column) for column in zip(*(each["histogram"] for each in frozen["rpcs"]))]
        self.assertEqual([int(re.sub(r"\D", "", n)) for n in texts("#latency-rows td.number")], sums)
        self.assertEqual(texts("#latency-rows th")[0], "≤ 1 ms")
        self.assertEqual(texts("#latency-rows th")[-1], "> 2 s")

    def test_many_peers_are_sorted_and_filtered(self) -> None:
        self.show(states.crowd)
        first = lambda: texts("#peer-rows th > span:first-child")
        self.assertEqual(len(first()), 200)
        # Troubles first.
        self.assertEqual(first()[:4], ["node-007", "node-090", "node-031", "node-140"])
        chromium.run("document.querySelector('[data-sort=name] button').click()")
        chromium.run("document.querySelector('[data-sort=name] button').click()")
        self.assertEqual(first()[0], "node-200")
        self.assertEqual(
            chromium.run("return document.querySelector('[data-sort=name]').getAttribute('aria-sort')"), "descending")
        chromium.run("document.querySelector('#find').focus()")
        chromium.press("node-19")
        until(lambda: len(first()) == 10, "ten peers")
        self.assertEqual(text("#peers-note"), "10 of 200 shown")
        chromium.run("const s = document.querySelector('#only'); s.value = 'bad'; s.dispatchEvent(new Event('input'))")
        self.assertEqual(first(), [])
        self.assertEqual(text("#peers-none"), "No peer fits.")
        self.expect_silence()

    def test_more_peers_than_are_sent(self) -> None:
        self.show(lambda second: states.crowd(second, 500) | {"peers_total": 812})
        self.assertEqual(text("#peers-note"), "the first 500 of 812")

    def test_the_picture_shows_everybody_and_says_so(self) -> None:
        self.show(states.crowd)
        counts = chromium.run("""return ['.p-good', '.p-bad', '.p-questionable', '.p-unknown', '.copy', '.self']
            .map((c) => document.querySelectorAll('#drawing ' + c).length)""")
        self.assertEqual(counts, [196, 2, 1, 1, 512, 1])
        self.assertRegex(text("#ring-text"), "196 good, 1 unknown, 1 questionable, 2 bad peers, and 512 copies")


class ConnectionTest(PageTest):
    def test_a_lost_connection_is_told_and_tried_again(self) -> None:
        server = self.show(states.three)
        streams = server.streams
        server.broken.set()
        until(lambda: text("#well") == "Connection lost", "a notice")
        self.assertRegex(text("#also"), r"what was so at \d\d:\d\d:\d\d, and tries again by itself")
        self.assertRegex(text("#link"), "No news for .*(next try in|connecting)")
        self.assertEqual(chromium.run("return document.title"), "alpha: connection lost")
        chromium.picture(PICTURES / "lost.png")
        server.broken.clear()
        until(lambda: text("#link") == "Live", "the connection")
        self.assertGreater(server.streams, streams)
        self.assertEqual(text("#well"), "All is well")

    def test_a_stream_that_falls_silent_is_opened_anew(self) -> None:
        server = self.show(states.three)
        streams = server.streams
        server.silent.set()
        until(lambda: text("#well") == "Connection lost", "a notice")
        server.silent.clear()
        until(lambda: text("#link") == "Live" and server.streams > streams, "a new stream")


class FormTest(PageTest):
    def test_no_width_scrolls_sideways(self) -> None:
        for fixture in [states.three, states.crowd, states.long_names, states.hostile, states.sick, states.alone]:
            for width in WIDTHS:
                with self.subTest(fixture.__name__, width=width):
                    chromium.size(width)
                    self.show(fixture)
                    # Nothing sticks out of the page, or out of what clips it.
                    wide = chromium.run("""
                        const out = [...document.querySelectorAll('main *, header *')].filter((e) =>
                            !e.closest('svg, .unseen') && e.getBoundingClientRect().right > innerWidth + 0.5);
                        const cut = [...document.querySelectorAll('.scroll, section, dd, td, th, #figures > div')]
                            .filter((e) => !e.closest('.unseen') && e.scrollWidth > e.clientWidth + 1 && e.clientWidth);
                        return [document.documentElement.scrollWidth > innerWidth,
                            [...out, ...cut].map((e) => e.outerHTML.slice(0, 200))]""")
                    self.assertEqual(wide, [False, []])
                    self.expect_silence()

    def test_pictures_of_all(self) -> None:
        for scheme in ["light", "dark"]:
            chromium.prefer(color_scheme=scheme)
            for fixture in [states.three, states.crowd, states.long_names, states.hostile, states.sick, states.alone]:
                for width in [360, 1280, 2560]:
                    chromium.size(width)
                    self.show(fixture, past=280)
                    path = PICTURES / f"{fixture.__name__}-{width}-{scheme}.png"
                    chromium.picture(path)
                    self.assertGreater(path.stat().st_size, 10_000)

    def test_every_text_has_contrast(self) -> None:
        """4.5 to 1 by WCAG's formula, of each text and the ground it stands on."""
        for scheme in ["light", "dark"]:
            chromium.prefer(color_scheme=scheme)
            for fixture in [states.crowd, states.sick]:
                with self.subTest(fixture.__name__, scheme=scheme):
                    self.show(fixture)
                    self.assertEqual(chromium.run(CONTRAST), [])

    def test_motion_is_only_for_those_who_want_it(self) -> None:
        moving = "return getComputedStyle(document.querySelector('#latency-rows .trough > span')).transitionDuration"
        chromium.prefer(reduced_motion="reduce")
        self.show(states.three)
        self.assertEqual(chromium.run(moving), "0s")
        chromium.prefer(reduced_motion="no-preference")
        self.assertIn("0.4s", chromium.run(moving))


class AccessTest(PageTest):
    def test_screen_readers_find_their_way(self) -> None:
        self.show(states.crowd)
        nodes = chromium.accessibility()
        roles = [node["role"] for node in nodes]
        for landmark in ["banner", "main", "contentinfo", "search"]:
            self.assertEqual(roles.count(landmark), 1, landmark)
        regions = {node["name"] for node in nodes if node["role"] == "region"}
        self.assertTrue(regions >= {"Peers", "Key space", "Records kept here", "Traffic", "Time to an answer",
                                    "Refused datagrams", "Not on the list", "Last events"}, regions)
        tables = {node["name"] for node in nodes if node["role"] == "table"}
        self.assertEqual(len(tables), 5)
        self.assertNotIn("", tables)
        picture = next(node for node in nodes if node["role"] in ("image", "img", "graphics-document"))
        self.assertIn("The key space as a ring", picture["name"])
        self.assertIn("196 good", picture["name"] + picture["description"])
        levels = chromium.run("return [...document.querySelectorAll('h1, h2, h3')].map((h) => +h.tagName[1])")
        self.assertEqual(levels.count(1), 1)
        self.assertTrue(all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels)
        live = "return [...document.querySelectorAll('[aria-live], [role=status], [role=alert]')].map((e) => e.id)"
        self.assertEqual(chromium.run(live), ["health"])
        self.assertEqual(chromium.run("return document.documentElement.lang"), "en")

    def test_what_is_read_aloud_changes_with_health_alone(self) -> None:
        server = self.show(states.three)
        chromium.run("""
            window.changes = 0;
            new MutationObserver((all) => { changes += all.length }).observe(document.querySelector('#health'),
                { subtree: true, childList: true, characterData: true })""")
        seen = server.second
        until(lambda: server.second > seen + 5, "more states")
        self.assertEqual(chromium.run("return changes"), 0)

    def test_the_keyboard_reaches_all_that_can_be_operated(self) -> None:
        self.show(states.crowd)
        chromium.run("document.activeElement.blur()")
        stops = []
        for _ in range(11):
            chromium.press(TAB)
            stops.append(chromium.run(
                "const e = document.activeElement; return e.id || e.textContent.trim().slice(0, 20)"))
            # Each shows that it has the focus.
            self.assertEqual(
                chromium.run("return getComputedStyle(document.activeElement).outlineStyle != 'none' ||"
                             " document.activeElement == document.body"), True, stops[-1])
        self.assertEqual(stops[:9], ["Skip to the node's h", "find", "only", "peer-table", "Peer", "State",
                                     "Round trip", "Place", "event-list"])

    def test_the_focus_stays_while_states_come(self) -> None:
        server = self.show(states.crowd)
        chromium.run("document.querySelector('[data-sort=rtt] button').focus()")
        chromium.press(ENTER)
        sort = "return document.querySelector('[data-sort=rtt]').getAttribute('aria-sort')"
        until(lambda: chromium.run(sort) == "ascending", "a sorted table")
        chromium.run("window.row = document.querySelector('#peer-rows tr')")
        seen = server.second
        until(lambda: server.second > seen + 3, "more states")
        self.assertEqual(
            chromium.run("return document.activeElement.closest('th').dataset.sort + row.isConnected"), "rtttrue")


CONTRAST = """
    const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
    const light = (c) => { const [r, g, b] = numbers(c).map((v) => (v /= 255) <= 0.04045 ? v / 12.92
        : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
    const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
        if (numbers(c)[3] !== 0) return c } return 'rgb(255, 255, 255)' };
    return [...document.querySelectorAll('body *')].filter((e) => !e.closest('.unseen, script, noscript, .skip')
        && e.getClientRects().length && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
        .map((e) => { const style = getComputedStyle(e);
            const [a, b] = [light(e.closest('svg') ? style.fill : style.color), light(ground(e))];
            return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.slice(0, 40)] })
        .filter(([ratio]) => ratio < 4.5)"""


class NodeTest(PageTest):
    """The page of a real node."""

    def setUp(self) -> None:
        super().setUp()
        self.node = WebNode("--name", HOSTILE[:32], serves_values=False)
        self.addCleanup(self.node.stop)

    def test_it_serves_the_page_with_its_policy(self) -> None:
        with urllib.request.urlopen(self.node.url, timeout=30) as answer:
            self.assertEqual(answer.read(), states.PAGE.read_bytes())
            self.assertEqual(answer.headers["Content-Security-Policy"], states.policy())
            self.assertTrue(answer.headers["Content-Type"].startswith("text/html"))

    def test_it_shows_itself_and_its_end(self) -> None:
        chromium.log()
        chromium.open(self.node.url)
        until(lambda: text("#link") == "Live", "a state on the page")
        self.assertEqual(text("h1"), HOSTILE[:32])
        page = chromium.run("return document.body.innerText")
        for nothing in ["null", "NaN", "undefined"]:
            self.assertNotIn(nothing, page)
        self.expect_silence()
        chromium.picture(PICTURES / "node.png")
        self.node.process.terminate()
        until(lambda: text("#well") == "Connection lost", "a notice")


if __name__ == "__main__":
    unittest.main()
