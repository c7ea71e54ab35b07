"""Makes what the peers run in, in the user's cache: two locked Python environments, hugot's program, and the graphs of a
checkpoint. What is there already, and made from the same locks, is kept.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "winnow"
FOLDER = CACHE / "peers"
NATIVE = CACHE / "native"
PYTHON = FOLDER / "python" / "bin" / "python"
TRAINING = HERE.parents[1] / "model" / "training"

# Nothing is looked for on a model hub, and nobody is told of the run.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1"}


class SetupError(Exception):
    """Something is missing that the user can put right; its text says what."""


@dataclass(frozen=True)
class Places:
    """Where everything lies, whether it has been made or not."""

    python: Path
    infinity: Path
    hugot: Path
    graphs: Path
    fp32: Path  # the checkpoint as a bundle of Winnow's in fp32


def places_of(checkpoint: Path) -> Places:
    inputs = [checkpoint / name for name in ("model.safetensors", "config.json", "tokenizer.json")]
    exporters = [HERE / "export.py", TRAINING / "winnow_training" / "stock.py", HERE / "requirements.txt"]
    graphs = FOLDER / "graphs" / digest_of(*inputs, *exporters)[:16]
    builder = sorted((TRAINING / "winnow_training").glob("*.py"))
    fp32 = FOLDER / "bundles" / digest_of(*inputs, *builder)[:16]
    return Places(PYTHON, FOLDER / "infinity" / "bin" / "python", FOLDER / "hugot", graphs, fp32)


def unfolded(bundle: Path) -> Path:
    """The bundle as a checkpoint with exactly its weights."""
    make_environment(PYTHON, HERE / "requirements.txt")
    folder = FOLDER / "checkpoints" / digest_of(bundle / "model.onnx", TRAINING / "winnow_training" / "unfold.py")[:16]
    if not folder.exists():
        train("unfold", ["--bundle", bundle], folder, f"{bundle} could not be unfolded")
    return folder


def train(step: str, arguments: list, out: Path, failure: str) -> None:
    """Runs a step of winnow_training; what is in its folder is whole."""
    unfinished = out.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    command = [PYTHON, "-m", f"winnow_training.{step}", *arguments, "--out", unfinished]
    run(command, failure, environment=OFFLINE | {"PYTHONPATH": str(TRAINING)})
    unfinished.rename(out)


def prepare(places: Places, checkpoint: Path, max_tokens: int, peers: list[str]) -> None:
    """Makes what these peers need."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    make_environment(places.python, HERE / "requirements.txt")
    if any(peer.startswith("infinity") for peer in peers):
        make_environment(places.infinity, HERE / "requirements-infinity.txt")
    if any(peer.startswith("hugot") for peer in peers):
        build_hugot(places.hugot)
    if "winnow-fp32" in peers and not places.fp32.exists():
        print("building the checkpoint's bundle in fp32 (two minutes, once)", flush=True)
        build = ["--checkpoint", checkpoint, "--name", "fp32", "--max-tokens", str(max_tokens)]
        train("bundle", build, places.fp32, f"{checkpoint} could not be built in fp32")
    export_graphs(places, checkpoint, max_tokens)


def make_environment(python: Path, lock: Path) -> None:
    folder, digest = python.parents[1], digest_of(lock)
    complete = folder / ".complete"
    if complete.exists() and complete.read_text() == digest:
        return
    print(f"installing {lock.name} into {folder} (some 6 GB, once)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    run([sys.executable, "-m", "venv", folder], f"python3 lacks venv, or {FOLDER} can't be written")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    run([*install, "-r", lock], f"{lock.name} could not be installed")
    complete.write_text(digest)


def build_hugot(program: Path) -> None:
    if shutil.which("go") is None:
        raise SetupError("go is missing, for hugot: install Go 1.26 or newer (https://go.dev/dl)")
    for library in ("libonnxruntime.so", "libtokenizers.a"):
        if not (NATIVE / library).exists():
            raise SetupError(f"{NATIVE / library} is missing: run make native")
    run(
        ["go", "build", "-trimpath", "-tags", "ORT", "-o", program, "."],
        "hugot could not be built",
        folder=HERE / "hugot",
        environment={"CGO_ENABLED": "1", "CGO_LDFLAGS": f"-L{NATIVE}"},
    )


def export_graphs(places: Places, checkpoint: Path, max_tokens: int) -> None:
    if places.graphs.exists():
        return
    print(f"exporting the graphs of {checkpoint} (a minute or two, once)", flush=True)
    unfinished = places.graphs.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(exist_ok=True)
    export = [places.python, HERE / "export.py", "--checkpoint", checkpoint, "--max-tokens", str(max_tokens)]
    training = {"PYTHONPATH": str(TRAINING)}
    run([*export, "--out", unfinished], f"{checkpoint} could not be exported", environment=OFFLINE | training)
    unfinished.rename(places.graphs)


def run(command: list, failure: str, folder: Path = HERE, environment: dict[str, str] | None = None, text: str = "") -> None:
    """Runs a step of the setup; what it says is shown only when it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | (environment or {}),
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise SetupError(f"{failure}:\n{done.stdout.strip()[-2000:]}")


def digest_of(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
