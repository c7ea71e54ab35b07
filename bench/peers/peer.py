"""A peer as a process: started once, asked for a pass over the pairs as often as a round comes, and stopped in between."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import outputs
from environments import HERE, NATIVE, OFFLINE, Places


class PeerError(Exception):
    """The engine failed; the text is the last that it said."""


@dataclass
class Peer:
    name: str
    command: list
    environment: dict[str, str] = field(default_factory=dict)
    error: str = ""
    logits: list[list[float]] = field(default_factory=list)
    _process: subprocess.Popen | None = None
    _log: Path | None = None

    def start(self, pairs: Path, work: Path) -> None:
        """Loads, and lets the peer score all pairs once, which warms it up and gives the logits to compare."""
        logits, self._log = work / f"{self.name}.json", work / f"{self.name}.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [*self.command, "--pairs", pairs, "--logits", logits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | OFFLINE | {"HF_HOME": str(work / "huggingface")} | self.environment,
            )
        self._answer("ready")
        self.logits = json.loads(logits.read_text())
        # A thread pool that waits may spin; a process that is stopped takes no time from the others.
        self._process.send_signal(signal.SIGSTOP)

    def decisions(self, manifest: dict) -> list[str]:
        return outputs.decide(self.logits, manifest)

    def seconds(self) -> float:
        """How long one more pass took, as the peer measured it."""
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.stdin.write("score\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise PeerError(self._last_words()) from None
        seconds = self._answer("seconds")
        self._process.send_signal(signal.SIGSTOP)
        return seconds

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def _answer(self, key: str):
        # Libraries print too, so whatever is not the answer is passed over.
        for line in self._process.stdout:
            if line.startswith("{") and key in (answer := json.loads(line)):
                return answer[key]
        raise PeerError(self._last_words())

    def _last_words(self) -> str:
        self._process.wait()
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else f"ended with exit code {self._process.returncode}"


def all_peers(places: Places, checkpoint: Path, max_tokens: int) -> list[Peer]:
    limit = ["--max-tokens", str(max_tokens)]
    stock, exported = places.graphs / "stock", places.graphs / "sentence-transformers"
    crossencoder = [places.python, HERE / "crossencoder.py", *limit]
    torch = [*crossencoder, "--model", checkpoint, "--backend", "torch"]
    plain = [places.python, HERE / "plain_onnxruntime.py", *limit, "--model", stock]
    infinity = [places.infinity, HERE / "infinity.py", *limit]
    hugot = [places.hugot, "--library", NATIVE, "--model", stock]
    onnx = [*crossencoder, "--model", exported, "--backend", "onnx", "--graph"]
    openvino = [*crossencoder, "--model", exported, "--backend", "openvino", "--graph"]
    return [
        Peer(REFERENCE, torch),
        Peer("sentence-transformers-torch-tuned", torch, KEPT_MEMORY),
        Peer("sentence-transformers-onnx", [*onnx, "onnx/model.onnx"]),
        Peer("sentence-transformers-onnx-int8", [*onnx, "onnx/model_qint8.onnx"]),
        Peer("sentence-transformers-openvino", [*openvino, "openvino/openvino_model.xml"]),
        Peer("sentence-transformers-openvino-int8", [*openvino, "openvino/openvino_model_qint8_quantized.xml"]),
        Peer("onnxruntime", [*plain, "--graph", "stock.onnx"]),
        Peer("onnxruntime-sorted", [*plain, "--graph", "stock.onnx", "--sorted"]),
        Peer("onnxruntime-int8", [*plain, "--graph", "stock_int8.onnx"]),
        Peer("onnxruntime-int8-sorted", [*plain, "--graph", "stock_int8.onnx", "--sorted"]),
        Peer("hugot", [*hugot, "--graph", "stock.onnx"]),
        Peer("hugot-int8-sorted", [*hugot, "--graph", "stock_int8.onnx", "--sorted"]),
        Peer("infinity-torch", [*infinity, "--model", checkpoint, "--engine", "torch"]),
        Peer("infinity-optimum", [*infinity, "--model", places.graphs / "optimum", "--engine", "optimum"]),
    ]


# Has glibc keep what is freed instead of giving it back to the system, page by page, and asking for it again.
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}

# What the others' outputs are compared with: the framework that the checkpoint was trained in.
REFERENCE = "sentence-transformers-torch"
