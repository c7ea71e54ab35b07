"""Draws rows of `winnow bench engine --count ... --json`, read from standard input: time and memory by pairs.

It needs matplotlib, which the environment of bench/peers has.
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib
from matplotlib import pyplot


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="an SVG file")
    options = parser.parse_args()
    rows = sorted((json.loads(line) for line in sys.stdin if line.strip()), key=lambda row: row["scored"])
    if not rows:
        sys.exit("error: standard input holds no row: pipe winnow bench engine --count 1000,10000 --json into this")
    pairs = [row["scored"] for row in rows]
    # The same rows give the same file: no date, no random ids.
    matplotlib.rcParams |= {"svg.hashsalt": "winnow", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
    figure, (time, memory) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    time.loglog(pairs, [row["seconds"] for row in rows], "o-", color="#1f6f54")
    time.set(title="seconds by pairs", xlabel="pairs scored")
    memory.semilogx(pairs, [row["resident_bytes"] / 2**20 for row in rows], "o-", color="#1f6f54")
    memory.set(title="resident MiB by pairs", xlabel="pairs scored", ylim=(0, None))
    for axes in (time, memory):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    figure.savefig(options.out, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
