"""Bits that flip on a node's disk in the tables of long values: all is whole again there, by itself."""
import sqlite3
import time

from team import Team

# Table, column, and whether it is bytes; numbers get one of their low bits flipped.
CELLS = [("piece", "bytes", True), ("content", "outline", True), ("content", "digest", True),
         ("content", "length", False), ("piece", "number", False), ("piece", "content", False)]


def flip(node, count, chance):
    """Flips random bits in the stopped node's long values; every kind of column gets some."""
    database = sqlite3.connect(node.directory / "records.sqlite")
    flipped = {}
    while sum(flipped.values()) < count:
        number = sum(flipped.values())
        # Most of the file is pieces, and so is most of the damage.
        table, column, is_bytes = CELLS[0] if number % 3 else CELLS[number // 3 % len(CELLS)]
        rows = [row for row, in database.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
        row = chance.choice(rows)
        (old,) = database.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
        if is_bytes:
            new, bit = bytearray(old), chance.randrange(8 * len(old))
            new[bit // 8] ^= 1 << bit % 8
            new = bytes(new)
        else:
            new = old ^ 1 << chance.randrange(12)
        try:
            with database:
                database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (new, row))
        except sqlite3.IntegrityError:
            continue  # no disk would make it, for it has two rows of one name
        flipped[f"{table}.{column}"] = flipped.get(f"{table}.{column}", 0) + 1
    database.close()
    return flipped


def await_mending(node, patience):
    """Until as much is mended as was lost, and no more is found; the two counters."""
    end, last, since = time.monotonic() + patience, None, time.monotonic()
    while time.monotonic() < end:
        counters = node.status().get("counters", {})
        now = (counters.get("lost"), counters.get("mended"))
        if now != last:
            last, since = now, time.monotonic()
        if now[0] and now[0] == now[1] and time.monotonic() - since > 15:
            break
        time.sleep(0.5)
    return last


def damage(options, chance):
    """60 bits flip in one node's long values: it is told, and all are whole again there after they are read."""
    broken = []
    with Team(options.dht, options.nodes) as team:
        team.start()
        values = {}
        for number in range(options.values):
            key, value = f"long/{number}", chance.randbytes(chance.randint(641, options.length))
            ending = team.nodes[number % len(team.nodes)].put(key, value, "--ttl", "1d")
            if ending.returncode != 0:
                raise SystemExit(f"put of {len(value)} bytes failed: {ending.stderr.decode()}")
            values[key] = value
        victim, others = team.nodes[1], [node for node in team.nodes if node is not team.nodes[1]]
        victim.stop()
        if victim.check() is not None:
            broken.append("the store was not sound before")
        print(f"flipped: {flip(victim, options.flips, chance)}", flush=True)
        said = victim.check()
        named = [key for key in values if said and f'"{key}"' in said]
        print(f"check names {len(named)} of {len(values)} values as damaged", flush=True)
        if not named:
            broken.append("check found nothing")
        victim.start([team.nodes[0]])
        team.settle()
        # Some are read there, some elsewhere, some nowhere.
        keys = sorted(values)
        there = {key: values[key] for key in keys[::2]}
        elsewhere = {key: values[key] for key in keys[1::4]}
        broken += team.read_all(there, [victim], "there")
        broken += team.read_all(elsewhere, others, "elsewhere")
        lost, mended = await_mending(victim, options.patience)
        print(f"the node says: lost {lost}, mended {mended}", flush=True)
        if not lost or lost != mended:
            broken.append(f"lost {lost}, but mended {mended}")
        broken += team.read_all(values, [victim], "mended")
        # What these reads found, and nobody before them, is mended after they have their answer.
        lost, mended = await_mending(victim, options.patience)
        if lost != mended:
            broken.append(f"after all reads lost {lost}, but mended {mended}")
        victim.stop()
        said = victim.check()
        if said is not None:
            broken.append(f"the store is not sound again: {said}")
    return broken
