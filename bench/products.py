"""Of the engine's busy time, how much multiplies matrices: with weights, and inside attention.

`winnow bench engine` counts whole operators, by ONNX Runtime's profiler. Attention multiplies too, queries with keys and
with positions, and its weights with values; which part of it that is, Linux's sampling profiler says (perf).
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = "libwinnow_operators.so"
ATTENTION = ("Attention", "QuantisedAttention", "FirstTokenAttention")
# The functions of model/native/operators/kernels.cc that attention consists of; in fp32 without the last.
MULTIPLYING, OTHER = ("multiply_keys", "multiply_values"), ("load_head", "weigh", "attend", "quantise")


def parsed() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Other flags are those of winnow bench engine.",
    )
    parser.add_argument("--winnow", type=Path, default=ROOT / "bin" / "winnow", help="the program, which make build writes")
    return parser.parse_known_args()


def run(command: list) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            f"error: {' '.join(map(str, command[:3]))} ...: exit status {done.returncode}\n{done.stderr[-2000:]}"
        )
    return done.stdout


def samples_of(report: str) -> dict[str, float]:
    """Percent of the process' samples by the operators' functions; those of one template are one."""
    found: dict[str, float] = {}
    for percent, symbol in re.findall(rf"^\s*([\d.]+)%\s+{re.escape(LIBRARY)}\s+\[\.\]\s+(\w+)", report, re.MULTILINE):
        found[symbol] = found.get(symbol, 0) + float(percent)
    return found


def main() -> None:
    options, flags = parsed()
    if not shutil.which("perf"):
        raise SystemExit("error: perf is missing: install linux-tools (Debian: linux-perf)")
    if not options.winnow.is_file():
        raise SystemExit(f"error: {options.winnow} is missing: run make build, or name it with --winnow")
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "perf.data"
        record = ["perf", "record", "--quiet", "-F", "999", "-e", "cpu-clock", "-o", recording]
        output = run([*record, options.winnow, "bench", "engine", "--json", *flags])
        report = run(["perf", "report", "-i", recording, "--stdio", "--no-children", "--sort", "dso,symbol"])
    rows = [json.loads(line) for line in output.splitlines()]
    if len(rows) != 1 or rows[0]["provider"] != "cpu":
        raise SystemExit("error: one row of the CPU is needed: give one value for each flag")
    samples = samples_of(report)
    unseen = [name for name in MULTIPLYING + OTHER[:2] if name not in samples]
    if unseen:
        raise SystemExit(
            f"error: perf has no sample of {', '.join(unseen)} in {LIBRARY}: was it stripped, or are they named anew?"
        )
    multiplying = sum(samples[name] for name in MULTIPLYING)
    inside = multiplying / (multiplying + sum(samples.get(name, 0) for name in OTHER))
    attention = sum(rows[0]["operators"].get(name, 0) for name in ATTENTION)
    weights = rows[0]["matrix_product_share"]
    print(f"products with weights      {weights:6.1%}")
    print(f"attention                  {attention:6.1%}, of which {inside:.1%} are products")
    print(f"matrix products in all     {weights + attention * inside:6.1%}")


if __name__ == "__main__":
    sys.exit(main())
