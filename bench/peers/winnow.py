"""Winnow in the comparison: `winnow score` for what it decides, `winnow bench engine` for how fast."""

import json
import math
import os
import subprocess
from pathlib import Path

import outputs
from peer import PeerError
from serve import read_pairs


class Winnow:
    def __init__(self, name: str, binary: Path, bundle: Path):
        self.name, self.error = name, ""
        self.logits: list[outputs.Row] = []
        self._verdicts: list[str] = []
        self._binary, self._bundle, self._pairs = binary, bundle, Path()
        # One product a placement and nothing pruned, so that a verdict is the decision on a pair.
        self._environment = os.environ | {
            "WINNOW_MODEL_BUNDLE": str(bundle),
            "WINNOW_POLICY_MIN_PRODUCTS": "1",
            "WINNOW_POLICY_UNCERTAIN": "hold",
            "WINNOW_POLICY_WEAK_THRESHOLD": "1",
        }

    def start(self, pairs: Path, _: Path) -> None:
        """Takes the verdicts, and tries the timing once, as the other engines warm up."""
        self._pairs, self._manifest = pairs, json.loads((self._bundle / "manifest.json").read_text())
        listed = read_pairs(pairs)
        self._environment["WINNOW_KAFKA_POLL_RECORDS"] = str(len(listed))  # all at once, as the others are given them
        lines = "".join(
            json.dumps({"placement_id": str(at), "theme": theme, "products": [{"product_id": "1", "title": title}]}) + "\n"
            for at, (theme, title) in enumerate(listed)
        )
        verdicts = [json.loads(line) for line in self._run(["score"], lines).splitlines()]
        self._verdicts = [verdict["verdict"] for verdict in verdicts]
        self.logits = [self._row(verdict) for verdict in verdicts]
        self.seconds()

    def decisions(self, manifest: dict) -> list[str]:
        if manifest == self._manifest:
            return self._verdicts
        return outputs.decide(self.logits, manifest)  # another bundle of the checkpoint, under this one's thresholds

    def seconds(self) -> float:
        return json.loads(self._run(["bench", "engine", "--pairs", self._pairs, "--json"]))["seconds"]

    def stop(self) -> None:
        """Each of its commands has ended by itself."""

    def _row(self, verdict: dict) -> outputs.Row:
        if "unscored" in verdict["reasons"]:
            return None
        product = verdict["products"][0]
        # A probability's logarithm is its logit over the temperature and a bias, but for a constant, which softmax ignores.
        calibration = self._manifest["calibration"]
        biases = dict(zip(self._manifest["labels"], calibration["biases"], strict=True))
        labels = ("relevant", "weak", "severe")
        return [calibration["temperature"] * (math.log(product[label]) - biases[label]) for label in labels]

    def _run(self, arguments: list, text: str = "") -> str:
        done = subprocess.run(
            [self._binary, *arguments], input=text, capture_output=True, text=True, encoding="utf-8", env=self._environment
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise PeerError(said[-1] if said else f"winnow {arguments[0]} ended with exit code {done.returncode}")
        return done.stdout
