"""Values that their author's node keeps alive: all are there for as long as it runs."""
import json
import time

from team import Control, Team, path_of


def keep(options, chance):
    """Many values with a short lifetime, kept alive by their author's node, killed once meanwhile."""
    broken = []
    with Team(options.dht, options.nodes) as team:
        team.start()
        author, readers = team.nodes[0], team.nodes[1:]
        control = Control(author.socket)
        values = {f"kept{number}": bytes(chance.randbytes(60)).hex().encode() for number in range(options.values)}
        start = time.monotonic()
        for key, value in values.items():
            for _ in range(10):
                status, answer = control.ask("PUT", f"{path_of(key)}?ttl={options.lifetime}s&keep=true", value)
                if status == 200:
                    break
                print(f"{key} is put again: {answer}", flush=True)
            else:
                raise SystemExit(f"{key} was not taken: {answer}")
        print(f"{len(values)} values of {options.lifetime} s put in {time.monotonic() - start:.0f} s", flush=True)
        for turn in range(1, options.lifetimes + 1):
            time.sleep(options.lifetime)
            broken += team.ask_all(values, readers, f"after {turn} lifetimes")
            print(f"the author says: {author.status().get('kept')}", flush=True)
            if turn == 1:
                author.kill()
                author.start([readers[0]])
        listed = json.loads(author.dht("ls", "--own", "--json").stdout)["values"]
        states = {}
        for value in listed:
            states[value["state"]] = states.get(value["state"], 0) + 1
        print(f"listed: {states}", flush=True)
        if states != {"kept": len(values)}:
            broken.append("not all are listed as kept")
    return broken
