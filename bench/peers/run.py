"""Times Winnow's engine against its peers: the same checkpoint, the same pairs, one machine, one run, by turns.

What comes out is compared before anything is timed. README.md says what each peer is.
"""

import argparse
import csv
import json
import os
import random
import signal
import statistics
import sys
import tempfile
from pathlib import Path

import environments
import outputs
from environments import HERE, OFFLINE, SetupError
from peer import REFERENCE, Peer, PeerError, all_peers
from winnow import Winnow

ROOT = HERE.parents[1]
JUDGED = ROOT / "model" / "training" / "data" / "judged_pairs.csv"
STARTER = ROOT / "model" / "starter"
SEED = 0
OURS = "winnow"

Engine = Winnow | Peer


def sample_pairs(count: int, path: Path) -> None:
    """Writes distinct pairs in random order, so that batches mix lengths as traffic does."""
    with open(JUDGED, newline="", encoding="utf-8") as file:
        known = list(dict.fromkeys((row["theme"], row["title"]) for row in csv.DictReader(file)))
    if not 1 <= count <= len(known):
        raise SetupError(f"--pairs is {count}, must be 1 to {len(known)}")
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("theme", "title"), *random.Random(SEED).sample(known, count)])


def start(engines: list[Engine], pairs: Path, work: Path) -> None:
    for engine in engines:
        try:
            engine.start(pairs, work)
            print(f"loaded {engine.name}", flush=True)
        except PeerError as problem:
            engine.error = str(problem)
            print(f"failed {engine.name}: {problem}", flush=True)


def compare(engines: list[Engine], manifest: dict) -> dict[str, dict]:
    """How each engine's outputs differ from the reference's."""
    reference = next(engine for engine in engines if engine.name == REFERENCE)
    if reference.error:
        raise SetupError(f"{REFERENCE}, with which all others are compared, failed: {reference.error}")
    expected = reference.decisions(manifest)
    return {
        engine.name: {
            "decisions_that_differ": outputs.differing(engine.decisions(manifest), expected),
            "largest_logit_difference": outputs.largest_difference(engine.logits, reference.logits),
        }
        for engine in engines
        if not engine.error
    }


def time_by_turns(engines: list[Engine], rounds: int) -> dict[str, list[float]]:
    """Each engine's seconds in each round. One that fails is left out from then on."""
    seconds: dict[str, list[float]] = {engine.name: [] for engine in engines}
    for number in range(1, rounds + 1):
        for engine in engines:
            if not engine.error:
                try:
                    seconds[engine.name].append(engine.seconds())
                except PeerError as problem:
                    engine.error = str(problem)
        print(f"round {number} of {rounds} is done", flush=True)
    return seconds


def summarise(engines: list[Engine], compared: dict, seconds: dict[str, list[float]], pairs: int) -> list[dict]:
    ours = seconds[OURS]
    rows = []
    for engine in engines:
        if engine.error:
            rows.append({"name": engine.name, "error": engine.error})
            continue
        took = seconds[engine.name]
        row = {"name": engine.name, "seconds": took, "pairs_per_second": pairs / statistics.median(took)}
        if len(ours) == len(took):
            row["winnow_to_it"] = statistics.median(theirs / mine for mine, theirs in zip(ours, took, strict=True))
        rows.append(row | compared[engine.name])
    return rows


def table(rows: list[dict]) -> str:
    lines = [
        "| engine | pairs/s | Winnow to it | decisions that differ | largest logit difference |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if "error" in row:
            lines.append(f"| {row['name']} | failed: {row['error']} | | | |")
            continue
        ratio = f"{row['winnow_to_it']:.2f}" if "winnow_to_it" in row else "unknown"
        differences = f"{row['decisions_that_differ']} | {row['largest_logit_difference']:.2g}"
        lines.append(f"| {row['name']} | {row['pairs_per_second']:.0f} | {ratio} | {differences} |")
    return "\n".join(lines)


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--checkpoint", type=Path, help="Hugging Face folder that the bundle was built from; without it the bundle, unfolded"
    )
    parser.add_argument("--bundle", type=Path, default=STARTER, help="folder of that bundle")
    parser.add_argument("--winnow", type=Path, default=ROOT / "bin" / "winnow", help="the program, which make build writes")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", action="append", default=[], metavar="ENGINE", help="leave one out; may be repeated")
    parser.add_argument("--out", type=Path, help="write the results here too, as JSON")
    parser.add_argument("--plot", type=Path, help="draw the speeds here, as SVG")
    options = parser.parse_args()
    given = options.checkpoint
    names = ("model.safetensors", "tokenizer.json") if given else ()
    for file, remedy in (
        *((given / name, "--checkpoint must be a folder with a Hugging Face model") for name in names),
        (options.winnow, "run make build"),
        (options.bundle / "manifest.json", "--bundle must be a folder that winnow model build wrote"),
    ):
        if not file.is_file():
            raise SetupError(f"{file} is missing: {remedy}")
    if options.rounds < 1:
        raise SetupError(f"--rounds is {options.rounds}, must be at least 1")
    for name in ("checkpoint", "bundle", "winnow"):
        if getattr(options, name):
            setattr(options, name, getattr(options, name).resolve())
    return options


def chosen(engines: list[Engine], without: list[str]) -> list[Engine]:
    names = [engine.name for engine in engines]
    for name in without:
        if name not in names:
            raise SetupError(f"--without {name}: there is no such engine, but {', '.join(names)}")
    for name in (OURS, REFERENCE):
        if name in without:
            raise SetupError(f"--without {name}: all others are compared with it")
    return [engine for engine in engines if engine.name not in without]


def main() -> int:
    options = parsed()
    manifest = json.loads((options.bundle / "manifest.json").read_text())
    max_tokens = manifest["max_tokens"]
    checkpoint = options.checkpoint or environments.unfolded(options.bundle)
    places = environments.places_of(checkpoint)
    ours = [Winnow(OURS, options.winnow, options.bundle), Winnow("winnow-fp32", options.winnow, places.fp32)]
    engines = chosen([*ours, *all_peers(places, checkpoint, max_tokens)], options.without)
    environments.prepare(places, checkpoint, max_tokens, [engine.name for engine in engines])
    print(f"the graphs lie in {places.graphs}", flush=True)
    # So that the peers, which are stopped processes most of the time, end with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: terminated"))
    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder) / "pairs.csv"
        sample_pairs(options.pairs, pairs)
        try:
            start(engines, pairs, Path(folder))
            for engine in engines:
                if unscored := engine.logits.count(None):
                    engine.error = f"it did not score {unscored} of the pairs"
            compared = compare(engines, manifest)
            rows = summarise(engines, compared, time_by_turns(engines, options.rounds), options.pairs)
        finally:
            for engine in engines:
                engine.stop()
    print(f"\n{options.pairs} distinct pairs, rounds: {options.rounds}, {os.cpu_count()} cores of {processor()}\n")
    print(table(rows))
    results = {"pairs": options.pairs, "seed": SEED, "rounds": options.rounds, "cores": os.cpu_count()}
    results |= {"processor": processor(), "bundle": manifest["name"], "engines": rows}
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")
    if options.plot:
        draw = [places.python, HERE / "plot.py", "--out", options.plot.resolve()]
        environments.run(draw, f"{options.plot} could not be drawn", environment=OFFLINE, text=json.dumps(results))
    return 1 if any(engine.error for engine in engines) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SetupError as problem:
        sys.exit(f"error: {problem}")
