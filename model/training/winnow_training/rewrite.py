"""Writes a bundle's graph anew with the operators that today's builder would join: the same weights, thresholds and figures.

For a bundle whose checkpoint is gone. Over pairs of the test themes the graph must give the same logits to the last bit as
before, its operators run as functions; otherwise nothing is written. That the processor's own operators compute the same is
what this package's tests hold.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from winnow_training import engine
from winnow_training.bundle import PARITY_PAIRS, file_entry
from winnow_training.fuse import fuse
from winnow_training.pairs import DATA, read_pairs, read_split, select


def rewrite(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    file = bundle / "model.onnx"
    if file_entry(file) != manifest["files"]["model.onnx"]:
        raise ValueError(f"{file} is not what the manifest beside it says: take the bundle from where it came")
    model = onnx.load(str(file))
    tokenizer = engine.load_tokenizer(bundle / "tokenizer.json", manifest["max_tokens"])
    pairs = select(read_pairs(DATA / "judged_pairs.csv"), read_split(DATA / "split.csv"), "test")[:PARITY_PAIRS]

    def logits() -> np.ndarray:
        return engine.logits_of(model.SerializeToString(), tokenizer, pairs, operators=False)

    before = logits()
    fuse(model)
    onnx.checker.check_model(model)
    if not np.array_equal(before, logits()):
        raise ValueError(f"{file} gives other logits when its operators are joined: nothing is written")
    write(bundle, model, manifest)
    print(f"{bundle}: {len(pairs)} pairs give the same logits")


def write(bundle: Path, model: onnx.ModelProto, manifest: dict) -> None:
    """Each file is whole at any time; a bundle between the two is refused by its checksum."""
    unfinished = bundle / "model.onnx.unfinished"
    onnx.save(model, unfinished)
    manifest["files"]["model.onnx"] = file_entry(unfinished)
    os.replace(unfinished, bundle / "model.onnx")
    (bundle / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    options = parser.parse_args()
    try:
        rewrite(options.bundle)
    except (OSError, ValueError, KeyError, DecodeError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
