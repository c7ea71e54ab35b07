"""Draws the results of run.py, read from standard input, as bars."""

import argparse
import json
import sys
from pathlib import Path

import matplotlib
from matplotlib import pyplot


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = json.load(sys.stdin)
    measured = [row for row in results["engines"] if "error" not in row]
    rows = sorted(measured, key=lambda row: row["pairs_per_second"])
    # The same results give the same file: no date, no random ids.
    matplotlib.rcParams |= {"svg.hashsalt": "winnow", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(rows) + 1.2), layout="constrained")
    colours = ["#1f6f54" if row["name"] == "winnow" else "#b9c2c8" for row in rows]
    bars = axes.barh([row["name"] for row in rows], [row["pairs_per_second"] for row in rows], color=colours)
    said = [f"{row['pairs_per_second']:.0f}, {row['decisions_that_differ']} decisions differ" for row in rows]
    axes.bar_label(bars, said, padding=4)
    axes.set_xlim(right=max(row["pairs_per_second"] for row in rows) * 1.4)
    axes.set_title(
        f"pairs per second, {results['pairs']} pairs on {results['cores']} cores of {results['processor']}", loc="left"
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.out, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
