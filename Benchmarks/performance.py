#!/usr/bin/env python3
"""Measures this machine and writes the tables and plots of docs/performance.md: what `make bench` runs.

Every figure is a ratio within one run, or a count; times are given beside them for whoever wants them."""

import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/performance.md"
PLOTS = ROOT / "docs/performance"
BEGIN, END = "<!-- measured: written by make bench -->", "<!-- end of what make bench writes -->"
COLOURS = ["#0b6e99", "#c0392b", "#2e8b57", "#8e44ad"]


def run(dht, *arguments):
    """The JSON object that a command prints."""
    print("$ dht " + " ".join(arguments), file=sys.stderr, flush=True)
    done = subprocess.run([dht, *arguments], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def machine():
    model = "unknown processor"
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = 0
    for line in open("/proc/meminfo"):
        if line.startswith("MemTotal"):
            memory = int(line.split()[1]) / 1024 / 1024
    load = os.getloadavg()[0]
    return (f"{model}, {os.cpu_count()} threads, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}; "
            f"others kept {load:.1f} of them busy at the start")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def ticks(low, high):
    """Powers of ten, or steps of a linear axis, from low to high."""
    step = 10 ** math.floor(math.log10(max(high - low, 1e-9)))
    if (high - low) / step < 3:
        step /= 2
    first = math.ceil(low / step) * step
    return [first + index * step for index in range(int((high - first) / step + 1e-9) + 1)]


def number(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def plot(name, title, unit, lines):
    """An SVG file: value against number of nodes, which are on a logarithmic axis. Every line is a name and
    its points."""
    width, height, left, top, bottom = 640, 320, 60, 40, 44
    xs = sorted({x for _, points in lines for x, _ in points})
    highest = max(y for _, points in lines for _, y in points) * 1.1
    low, high = math.log10(xs[0]), math.log10(max(xs[-1], xs[0] * 1.01))
    right = width - 130

    def across(x):
        return left + (math.log10(x) - low) / (high - low) * (right - left)

    def down(y):
        return height - bottom - y / highest * (height - bottom - top)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
           f'font-size="12"><rect width="{width}" height="{height}" fill="#fff"/>',
           f'<text x="{left}" y="20" font-size="14">{title}</text>',
           f'<text x="{right}" y="{height - 8}" text-anchor="end">nodes</text>',
           f'<text x="{left}" y="{top - 6}">{unit}</text>']
    for y in ticks(0, highest):
        out.append(f'<path d="M{left} {down(y):.1f}H{right}" stroke="#ddd"/>'
                   f'<text x="{left - 6}" y="{down(y) + 4:.1f}" text-anchor="end">{number(y)}</text>')
    for x in xs:
        out.append(f'<path d="M{across(x):.1f} {height - bottom}v5" stroke="#555"/>'
                   f'<text x="{across(x):.1f}" y="{height - bottom + 18}" text-anchor="middle">{x:,}</text>')
    for index, (label, points) in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3" fill="{colour}"/>' for x, y in points]
        out.append(f'<text x="{right + 12}" y="{down(points[-1][1]) + 4:.1f}" fill="{colour}">{label}</text>')
    (PLOTS / name).write_text("\n".join(out) + "\n</svg>\n")


def real(dht, sizes, operations):
    """Tables and plots of real nodes in one process."""
    results = [run(dht, "bench", "--nodes", str(size), "--operations", str(operations), "--at-once", "16,64,1024",
                   "--json", "-q") for size in sizes]
    pairs = [[f"{pair['at_once']:,}"] + [f"{result['pairs'][index]['rpc_over_floor']:.2f}" for result in results]
             for index, pair in enumerate(results[0]["pairs"])]
    text = ["Two nodes, the processor time of one sealed call of a read, both ends and whoever asks, as a multiple of "
            "what libsodium alone takes for it, the floor; the runs are those of the next table.", ""]
    text += table(["at once", *(f"floor {result['floor_us']:.0f} µs" for result in results)], pairs)
    text += ["", "N nodes, one operation at a time:", ""]
    rows = [[f"{r['nodes']:,}", f"{r['put']['median_ms']:.2f}", f"{1000 * r['put']['cpu_ms'] / r['floor_us']:.1f}",
             f"{r['put']['datagrams']:.1f}", f"{r['get']['median_ms']:.2f}",
             f"{1000 * r['get']['cpu_ms'] / r['floor_us']:.1f}", f"{r['get']['datagrams']:.1f}"] for r in results]
    text += table(["nodes", "put, ms", "CPU, floors", "datagrams", "get, ms", "CPU, floors", "datagrams"], rows)
    text += ["", "Many at once:", ""]
    rows = [[f"{r['nodes']:,}", f"{load['at_once']:,}", f"{load['puts_per_second']:,.0f}",
             f"{load['gets_per_second']:,.0f}", f"{load['get_p99_ms']:.0f}", f"{100 * load['get_retransmissions']:.2f} %"]
            for r in results for load in r["load"]]
    text += table(["nodes", "at once", "puts a second", "gets a second", "get p99, ms", "sent again"], rows)
    plot("processor.svg", "Processor time of an operation, one at a time", "× the floor", [
        (kind, [(r["nodes"], 1000 * r[kind]["cpu_ms"] / r["floor_us"]) for r in results]) for kind in ("put", "get")])
    plot("datagrams.svg", "Datagrams of an operation, one at a time", "datagrams", [
        (kind, [(r["nodes"], r[kind]["datagrams"]) for r in results]) for kind in ("put", "get")])
    plot("throughput.svg", "Operations a second, 64 at once, all nodes in one process", "a second", [
        (kind, [(r["nodes"], r["load"][1][f"{kind}_per_second"]) for r in results]) for kind in ("puts", "gets")])
    return text + ["", "![processor time](performance/processor.svg)", "",
                   "![datagrams](performance/datagrams.svg)", "", "![throughput](performance/throughput.svg)"]


def simulated(dht, sizes):
    """The table and the plot of simulated nodes."""
    results = [run(dht, "simulate", "--scenario", "calm", "--nodes", str(size), "--hours", "0.2", "--seed", "1",
                   "--sealing", "stand-in", "--json") for size in sizes]
    rows = [[f"{r['nodes']:,}", f"{r['lookups']['rpcs_mean']:.1f}",
             f"{r['lookups']['hops_p50']}, {r['lookups']['hops_p99']}",
             f"{r['events']:,}", f"{r['machine']['events_per_second']:,.0f}", f"{r['machine']['seconds']:.0f}"]
            for r in results]
    plot("simulated.svg", "Requests of a read, simulated", "requests", [
        ("get", [(r["nodes"], r["lookups"]["rpcs_mean"]) for r in results])])
    return ["Twelve virtual minutes, seed 1, sealed by a stand-in:", ""] + table(
        ["nodes", "requests of a read", "hops p50, p99", "events", "events a second", "seconds"], rows
    ) + ["", "![requests of a read](performance/simulated.svg)"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--dht", default=str(ROOT / ".build/release/dht"))
    arguments.add_argument("--nodes", default="8,32,128,512,1024", help="sizes of real overlays")
    arguments.add_argument("--simulated", default="100,1000,10000,100000", help="sizes of simulated ones")
    arguments.add_argument("--operations", type=int, default=1000)
    options = arguments.parse_args()
    sizes = [int(size) for size in options.nodes.split(",")]
    worlds = [int(size) for size in options.simulated.split(",")]
    PLOTS.mkdir(exist_ok=True)
    version = subprocess.run([options.dht, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    text = [BEGIN, "", f"{datetime.date.today().isoformat()}, {version}. {machine()}.", "", "## Real nodes", ""]
    text += real(options.dht, sizes, options.operations)
    text += ["", "## Simulated nodes", ""] + simulated(options.dht, worlds) + ["", END]
    page = PAGE.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    if not pattern.search(page):
        sys.exit(f"{PAGE}: there is no place for what is measured")
    PAGE.write_text(pattern.sub(lambda _: "\n".join(text), page))
    print(f"Written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
