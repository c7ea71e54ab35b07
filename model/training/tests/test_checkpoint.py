"""Labels are mapped by name, whatever their order and number; what can't be mapped is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from winnow_training.checkpoint import Checkpoint, UnsupportedCheckpoint
from winnow_training.metrics import softmax
from winnow_training.pairs import LABELS

TINY = Path(__file__).parent / "tiny"


def labelled(tmp_path: Path, *names: str) -> Path:
    """The checkpoint with that many labels, called names."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(TINY / "absolute", folder)
    weights = load_file(folder / "model.safetensors")
    for end in ("weight", "bias"):
        rows = weights[f"classifier.{end}"]
        weights[f"classifier.{end}"] = np.concatenate([rows, rows])[: len(names)]
    save_file(weights, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = dict(enumerate(names))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_labels_in_another_order_are_mapped_by_name(tmp_path):
    checkpoint = Checkpoint(labelled(tmp_path, "Severe", "relevant", "WEAK"))
    weights, _ = checkpoint.classifier()
    np.testing.assert_array_equal(weights, checkpoint["classifier.weight"][[1, 2, 0]])


def test_a_single_label_is_a_sigmoid(tmp_path):
    checkpoint = Checkpoint(labelled(tmp_path, "LABEL_0"), {"LABEL_0": "severe"})
    weights, bias = checkpoint.classifier()
    pooled = np.random.default_rng(0).normal(size=16).astype(np.float32)
    logit = pooled @ checkpoint["classifier.weight"][0] + checkpoint["classifier.bias"][0]
    probabilities = softmax((pooled @ weights.T + bias)[None])[0]
    assert probabilities[LABELS.index("severe")] == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-6)
    assert probabilities[LABELS.index("weak")] == 0


def test_a_missing_label_has_no_probability(tmp_path):
    weights, bias = Checkpoint(labelled(tmp_path, "severe", "weak")).classifier()
    assert softmax((np.ones(16, np.float32) @ weights.T + bias)[None])[0][LABELS.index("relevant")] == 0


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("bad", "relevant", "weak"), "label 'bad', which is none of relevant, weak, severe: say what it means"),
        (("relevant", "weak"), "means severe: map one with --label"),
        (("severe", "severe", "weak"), "two labels of .* mean severe"),
        (("relevant", "weak", "severe", "worse"), "4 labels"),
    ],
)
def test_a_label_that_does_not_map_is_named(tmp_path, names, says):
    with pytest.raises(UnsupportedCheckpoint, match=says):
        Checkpoint(labelled(tmp_path, *names))


def test_a_folder_without_a_checkpoint_says_what_one_is(tmp_path):
    with pytest.raises(UnsupportedCheckpoint, match=r"has no config\.json: a checkpoint is a folder with"):
        Checkpoint(tmp_path)
