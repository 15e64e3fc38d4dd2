"""A list of which nearly nobody is there: what those that are not cost, and how soon the first that comes is whole."""
import os
import sys
import time
from pathlib import Path

from team import Team

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Interop"))
import dht1  # noqa: E402
import nacl.signing  # noqa: E402

# All absent members together.
DATAGRAMS_A_SECOND = 20
WHOLE_WITHIN = 5.0


def strangers(count):
    """Lines of a list: members that never were. Half have a port each, half an address each, where nobody listens."""
    lines = []
    for number in range(count):
        identity = bytes(nacl.signing.SigningKey.generate().verify_key)
        place = f"127.0.0.1:{20_000 + number}" if number % 2 else f"127.7.{number >> 8}.{number & 255}:4100"
        lines.append(f"{dht1.encode_text('dht', identity)}  absent-{number} addr={place}\n")
    return "".join(lines)


def spent(node):
    """Seconds of the processor that the process of a node took so far."""
    fields = open(f"/proc/{node.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def absent(options, chance):
    """Two nodes on a list of 2,000: one alone with it for ten minutes, then the other comes."""
    wrong = []
    with Team(options.dht, 2) as team:
        here, comes = team.nodes
        lines = "".join(f"{n.identity}  {n.name} addr=127.0.0.1:{n.port}\n" for n in team.nodes)
        (team.folder / "team.allow").write_text(lines + strangers(options.members))
        here.start()
        time.sleep(30)
        sent, processor, begun = here.status()["counters"]["transmitted"], spent(here), time.monotonic()
        time.sleep(60 * options.minutes)
        took = time.monotonic() - begun
        rate = (here.status()["counters"]["transmitted"] - sent) / took
        share = 100 * (spent(here) - processor) / took
        print(f"{options.members} absent: {rate:.1f} datagrams/s, {share:.2f} % of a core", flush=True)
        if rate > DATAGRAMS_A_SECOND:
            wrong.append(f"{rate:.1f} datagrams/s, {DATAGRAMS_A_SECOND} are allowed")
        begun = time.monotonic()
        comes.start(wait=False)
        comes.await_ready()
        ready = time.monotonic()
        whole = team.settle(120)
        print(f"the first that comes is ready after {ready - begun:.1f} s, both whole {time.monotonic() - ready:.1f} s later",
              flush=True)
        if not whole or time.monotonic() - ready > WHOLE_WITHIN:
            wrong.append(f"not whole within {WHOLE_WITHIN:.0f} s")
        if comes.put("key", b"value").returncode != 0 or here.get("key") != b"value":
            wrong.append("what one puts the other does not read")
    return wrong
