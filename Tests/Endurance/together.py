"""Nodes that are all started at once: how soon they know their neighbours, and what that takes."""
import concurrent.futures
import time

from long import processor
from team import Control, Team, path_of

NEIGHBOURS = 8
# All know each other after two exchanges a pair, which is two datagrams a node for each of the others.
DATAGRAMS = 260 / 127
PROBES = 40


def at_once(options, chance):
    """Many nodes started at one stroke, one of them named to the others: neighbours known, values read, datagrams."""
    broken = []
    with Team(options.dht, options.nodes) as team:
        begin = time.monotonic()
        for node in team.nodes:
            node.start([team.nodes[0]] if node is not team.nodes[0] else [], wait=False)
        for node in team.nodes:
            node.await_ready()
        ready = time.monotonic()
        print(f"{options.nodes} nodes serve {ready - begin:.1f} s after the first was started", flush=True)
        broken += probe(team, chance)
        time.sleep(max(0, ready + 1 - time.monotonic()))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            peers = dict(zip(team.nodes, pool.map(ask_peers, team.nodes)))
        print(f"all asked for their peers {time.monotonic() - ready:.1f} s after the last one served", flush=True)
        places = {node.identity: int(ask_status(node)["node_id"], 16) for node in team.nodes}
        lacking = [node for node in team.nodes if not neighbours(node, places) <= peers[node]]
        print(f"{options.nodes - len(lacking)} of {options.nodes} know their {NEIGHBOURS} closest", flush=True)
        if lacking:
            broken.append(f"{len(lacking)} nodes did not know their closest")
        time.sleep(max(0, ready + options.settled - time.monotonic()))
        counts = [status["counters"] for status in map(ask_status, team.nodes)]
        now = sum(each["transmitted"] for each in counts)
        each = now / options.nodes
        known = sum(map(len, peers.values())) / options.nodes
        details = {name: sum(count[name] for count in counts) / options.nodes
                   for name in ("overdue", "retransmissions", "timeouts", "proofs")}
        print(f"{each:.1f} datagrams a node in {options.settled:.0f} s; {known:.1f} peers known; "
              f"{sum(map(processor, team.nodes)):.1f} s of processors; a node: "
              + ", ".join(f"{name} {count:.1f}" for name, count in details.items()), flush=True)
        if each > DATAGRAMS * (options.nodes - 1):
            broken.append(f"{each:.0f} datagrams a node")
    return broken


def ask_status(node):
    return Control(node.socket).ask("GET", "/v1/status")[1]


def neighbours(node, places):
    own = places[node.identity]
    others = sorted((place ^ own, identity) for identity, place in places.items() if identity != node.identity)
    return {identity for _, identity in others[:NEIGHBOURS]}


def ask_peers(node):
    _, answer = Control(node.socket).ask("GET", "/v1/peers")
    return {peer["id"] for peer in answer["peers"] if peer["state"] == "good"}


def probe(team, chance):
    """Puts and reads through nodes at random, at once."""
    start, wrong = time.monotonic(), 0
    for number in range(PROBES):
        writer, reader = chance.sample(team.nodes, 2)
        value = chance.randbytes(100)
        status, _ = Control(writer.socket).ask("PUT", path_of(f"probe/{number}"), value)
        wrong += status != 200 or Control(reader.socket).get(path_of(f"probe/{number}")) != value
    print(f"{PROBES - wrong} of {PROBES} values read elsewhere, in {time.monotonic() - start:.1f} s", flush=True)
    return [f"{wrong} of {PROBES} values were not read"] if wrong else []
