"""Times winnow run against consumer.py from Kafka to committed verdicts: the same candidates, the same broker, by turns.

usage: bench/with-broker python bench/peers/pipeline.py
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import environments
from environments import HERE, OFFLINE, SetupError

ROOT = HERE.parents[1]
STARTER = ROOT / "model" / "starter"
BROKERS = "WINNOW_KAFKA_BROKERS"


def winnow(options: argparse.Namespace) -> dict:
    """One round of winnow bench pipeline, whose topics stay."""
    command = [options.winnow, "bench", "pipeline", "--brokers", os.environ[BROKERS], "--placements", options.placements]
    bundle = {"WINNOW_MODEL_BUNDLE": str(options.bundle)}
    return measured([*command, "--products", 20, "--rounds", 1, "--load", 0, "--keep", "--json"], bundle)


def python(options: argparse.Namespace, places: environments.Places, graph: str, candidates: str) -> dict:
    """consumer.py over the candidates of that round, into topics of its own."""
    group = candidates.removesuffix(".candidates") + "-" + graph.removesuffix(".onnx")
    kinds = ("approved", "tombstones", "review", "dead_letter")
    topics = {kind: f"{group}.{kind}" for kind in kinds}
    names = {f"WINNOW_TOPICS_{kind.upper()}": topic for kind, topic in topics.items()}
    create = [options.winnow, "topics", "create"]
    environments.run(create, "topics could not be created", environment={**names, "WINNOW_TOPICS_CANDIDATES": candidates})
    command = [places.python, HERE / "consumer.py", "--brokers", os.environ[BROKERS], "--group", group]
    command += ["--candidates", candidates, "--graph", places.graphs / "stock" / graph, "--bundle", options.bundle]
    for kind, topic in topics.items():
        command += ["--" + kind.replace("_", "-"), topic]
    return measured([*command, "--placements", options.placements], OFFLINE)


def measured(command: list, environment: dict[str, str]) -> dict:
    done = subprocess.run(list(map(str, command)), env=os.environ | environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SetupError(f"{command[0]} failed:\n{done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--winnow", type=Path, default=ROOT / "bin" / "winnow", help="the program, which make build writes")
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--placements", type=int, default=500, help="of 20 products, a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the results here too, as JSON")
    options = parser.parse_args()
    if BROKERS not in os.environ:
        raise SetupError(f"{BROKERS} is not set: run bench/with-broker python bench/peers/pipeline.py")
    if not options.winnow.is_file():
        raise SetupError(f"{options.winnow} is missing: run make build")
    return options


def main() -> None:
    options = parsed()
    checkpoint = environments.unfolded(options.bundle)
    places = environments.places_of(checkpoint)
    max_tokens = json.loads((options.bundle / "manifest.json").read_text())["max_tokens"]
    environments.prepare(places, checkpoint, max_tokens, [])
    graphs = {"Python, stock export": "stock.onnx", "Python, its dynamic int8": "stock_int8.onnx"}
    speeds: dict[str, list[float]] = {"winnow run": [], **{name: [] for name in graphs}}
    for number in range(1, options.rounds + 1):
        ours = winnow(options)
        speeds["winnow run"].append(ours["pairs_per_second"])
        for name, graph in graphs.items():
            speeds[name].append(python(options, places, graph, ours["candidates"])["pairs_per_second"])
        print(f"round {number} of {options.rounds} is done", flush=True)
    print(f"\n{options.placements} placements of 20 products, rounds: {options.rounds}\n")
    print("| pipeline | pairs/s | winnow run to it |\n|---|---|---|")
    for name, measured_speeds in speeds.items():
        ratio = statistics.median(ours / its for ours, its in zip(speeds["winnow run"], measured_speeds, strict=True))
        print(f"| {name} | {statistics.median(measured_speeds):.0f} | {ratio:.2f} |")
    if options.out:
        options.out.write_text(json.dumps({"placements": options.placements, "pairs_per_second": speeds}, indent=2) + "\n")


if __name__ == "__main__":
    try:
        main()
    except SetupError as problem:
        sys.exit(f"error: {problem}")
