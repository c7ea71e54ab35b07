"""Streams 200,000 distinct pairs through `winnow score` and prints its resident size along the way. See bench/README.md."""

import argparse
import csv
import itertools
import json
import re
import subprocess
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAIRS_A_LINE = 20


def titles() -> list[str]:
    with open(ROOT / "model" / "training" / "data" / "usda_products.csv", newline="", encoding="utf-8") as file:
        return [row["title"] for row in csv.DictReader(file)]


def themes() -> list[str]:
    with open(ROOT / "model" / "training" / "data" / "split.csv", newline="", encoding="utf-8") as file:
        return [row["theme"] for row in csv.DictReader(file)]


def resident_mib(pid: int) -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200_000)
    options = parser.parse_args()
    process = subprocess.Popen([ROOT / "bin" / "winnow", "score"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def feed() -> None:
        shown = itertools.cycle(titles())
        for number, theme in zip(range(options.pairs // PAIRS_A_LINE), itertools.cycle(themes())):
            products = [
                {"product_id": str(i), "title": title} for i, title in enumerate(itertools.islice(shown, PAIRS_A_LINE))
            ]
            line = json.dumps({"placement_id": str(number), "theme": theme, "products": products})
            process.stdin.write(line.encode() + b"\n")
        process.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    for number, _ in enumerate(process.stdout, 1):
        if number * PAIRS_A_LINE % 20_000 == 0:
            print(f"{number * PAIRS_A_LINE:8d} pairs  {resident_mib(process.pid):7.1f} MiB resident", flush=True)
    feeder.join()
    raise SystemExit(process.wait())


if __name__ == "__main__":
    main()
