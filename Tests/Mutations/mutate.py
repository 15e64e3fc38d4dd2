#!/usr/bin/python3
"""Breaks one promise of the engine after the other, and shows that the simulator notices.

    mutate.py               all mutations: builds and runs each; ends with 1 if one goes unnoticed
    mutate.py NAME…         only these
    mutate.py --check       builds nothing: each old text is there once, docs/testing.md has all names
    mutate.py --list        their names

Each mutation goes into a copy of the sources, a package of its own in .build-mutations/, in which only what
the simulator needs is built. First the unmutated copy runs the same worlds, where all promises must be kept.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple, Optional

from mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parent.parent.parent
COPY = ROOT / ".build-mutations"
PROGRAM = "Sources/worlds/main.swift"
DOCUMENT = ROOT / "docs" / "testing.md"
# Ends the copy's Package.swift: of all targets only what the simulator needs, and the program of worlds.
# Warnings are no errors there, since what a mutation leaves may be idle.
ONLY_WORLDS = """
var wanted: Set = ["DHTSimulator"]
var packages: Set<String> = []
for _ in package.targets {
    for target in package.targets where wanted.contains(target.name) {
        for dependency in target.dependencies {
            switch dependency {
            case .productItem(_, let name?, _, _): packages.insert(name)
            case .productItem: break
            case .targetItem(let name, _), .byNameItem(let name, _): wanted.insert(name)
            @unknown default: break
            }
        }
    }
}
package.products = []
package.targets.removeAll { !wanted.contains($0.name) }
package.dependencies.removeAll { dependency in
    guard case .sourceControl(_, let location, _) = dependency.kind else { return false }
    return !packages.contains { location.hasSuffix("/\\($0)") }
}
for target in package.targets where target.type == .regular {
    target.swiftSettings = [.swiftLanguageMode(.v6)]
}
package.targets.append(.executableTarget(name: "worlds", dependencies: ["DHTSimulator"]))
"""
# Seconds for the worlds of one mutation: what is broken may as well go on for ever.
PATIENCE = 600


class Outcome(NamedTuple):
    """What the worlds of one run told."""

    # Checkers of the first world that broke the promise that was looked for, else of all worlds.
    checkers: list[str]
    seed: Optional[int]
    text: str
    seconds: float
    # Why the run says nothing: it died, or took too long.
    trouble: Optional[str] = None


# The table against the sources.


def findings() -> list[str]:
    """What is wrong with the table: texts that are not there, names that the document lacks."""
    told = DOCUMENT.read_text(encoding="utf-8")
    complaints = []
    for mutation in MUTATIONS:
        for file, old, _ in mutation.edits:
            count = (ROOT / "Sources" / file).read_text(encoding="utf-8").count(old)
            if count != 1:
                place = f"Sources/{file} {count} times"
                complaints.append(f"{mutation.name}: its text is in {place}, not once: {old!r}")
        if f"| `{mutation.name}` | `{mutation.checker}` |" not in told:
            complaints.append(f"{mutation.name}: docs/testing.md has no row of it with `{mutation.checker}`")
    return complaints


# The copy.


def write(path: Path, text: bytes) -> None:
    """Leaves a file alone that is as it shall be, since what is new is built again."""
    if not path.exists() or path.read_bytes() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def lay_out(mutation: Optional[Mutation]) -> None:
    """Makes the copy, with this mutation or with none."""
    package = (ROOT / "Package.swift").read_text(encoding="utf-8")
    write(COPY / "Package.swift", (package + ONLY_WORLDS).encode())
    if (ROOT / "Package.resolved").exists() and not (COPY / "Package.resolved").exists():
        shutil.copy(ROOT / "Package.resolved", COPY / "Package.resolved")
    write(COPY / PROGRAM, (Path(__file__).parent / "Worlds.swift").read_bytes())
    wanted = {COPY / PROGRAM}
    for source in (ROOT / "Sources").rglob("*"):
        if not source.is_file():
            continue
        text = source.read_bytes()
        for file, old, new in mutation.edits if mutation else []:
            if source == ROOT / "Sources" / file:
                text = text.replace(old.encode(), new.encode())
        copied = COPY / source.relative_to(ROOT)
        write(copied, text)
        wanted.add(copied)
    for stale in (COPY / "Sources").rglob("*"):
        if stale.is_file() and stale not in wanted:
            stale.unlink()


def build() -> Path:
    """The program with the worlds."""
    command = ["swift", "build", "-c", "release", "--package-path", str(COPY), "--product", "worlds"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        print(result.stdout[-8000:])
        sys.exit("mutate.py: it does not build: " + " ".join(command))
    return COPY / ".build" / "release" / "worlds"


# The worlds.


def run(program: Path, options: str, until: Optional[str]) -> Outcome:
    """Runs worlds until one breaks the promise `until`, or all of them."""
    began = time.monotonic()
    everything: list[str] = []
    current: list[str] = []
    text = ""
    with subprocess.Popen([str(program), *options.split()], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, env={"SWIFT_BACKTRACE": "enable=no"}) as worlds:
        overtime = threading.Timer(PATIENCE, worlds.kill)
        overtime.start()
        for line in worlds.stdout:
            seed, checker, *words = line.rstrip().split(" ", 2)
            if checker == "ended":
                if until in current:
                    overtime.cancel()
                    worlds.kill()
                    return Outcome(current, int(seed), text, time.monotonic() - began)
                current, text = [], "" if until else text
                continue
            if checker not in current:
                current.append(checker)
                text = words[0] if checker == until or not text else text
            if checker not in everything:
                everything.append(checker)
    overtime.cancel()
    trouble = None if worlds.returncode == 0 else f"ended with {worlds.returncode}"
    return Outcome(everything, None, text, time.monotonic() - began, trouble)


def main(arguments: list[str]) -> int:
    names = [mutation.name for mutation in MUTATIONS]
    if arguments == ["--list"]:
        print("\n".join(names))
        return 0
    complaints = findings()
    if complaints:
        print("\n".join(complaints), file=sys.stderr)
        return 1
    if arguments == ["--check"]:
        print(f"{len(names)} mutations still fit the sources")
        return 0
    unknown = [argument for argument in arguments if argument not in names]
    if unknown:
        print(f"mutate.py: there is no {', '.join(unknown)}; see mutate.py --list", file=sys.stderr)
        return 2
    chosen = [mutation for mutation in MUTATIONS if not arguments or mutation.name in arguments]

    lay_out(None)
    program = build()
    for options in sorted({mutation.options for mutation in chosen}):
        outcome = run(program, options, until=None)
        if outcome.checkers or outcome.trouble:
            told = outcome.trouble or outcome.text
            print(f"mutate.py: unmutated, dht simulate {options}: {told}", file=sys.stderr)
            return 1
        print(f"unmutated   {outcome.seconds:5.1f} s   {options}", flush=True)

    missed = []
    for mutation in chosen:
        lay_out(mutation)
        outcome = run(build(), mutation.options, until=mutation.checker)
        if mutation.checker in outcome.checkers and outcome.seed is not None:
            told = f"{mutation.name}: seed {outcome.seed}: {', '.join(outcome.checkers)}: {outcome.text}"
            print(f"caught      {outcome.seconds:5.1f} s   {told}", flush=True)
        else:
            missed.append(mutation.name)
            seen = outcome.trouble or ", ".join(outcome.checkers) or "nothing"
            told = f"{mutation.name}: {mutation.checker} was wanted, there was {seen}"
            print(f"NOT CAUGHT  {outcome.seconds:5.1f} s   {told}", flush=True)
    lay_out(None)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} mutations caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
