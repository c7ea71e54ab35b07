"""The graph builder against what transformers computed, read from files: no torch needed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from winnow_training import engine, graph

MAX_TOKENS = 48  # of winnow_training.tiny

TINY = Path(__file__).parent / "tiny"
VARIANTS = ["absolute", "shared"]


def run(model, rows: list[list[int]]) -> np.ndarray:
    """Logits of rows in one padded batch."""
    length = max(map(len, rows))
    ids = np.zeros((len(rows), length), np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    session = engine.session(model.SerializeToString(), threads=1)
    return session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_graph_equals_the_checkpoint_at_every_length(variant):
    model = graph.build(TINY / variant, MAX_TOKENS)
    for golden in json.loads((TINY / variant / "goldens.json").read_text()):
        np.testing.assert_allclose(run(model, [golden["ids"]])[0], golden["logits"], atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_padding_and_neighbours_change_nothing(variant):
    model = graph.build(TINY / variant, MAX_TOKENS)
    goldens = json.loads((TINY / variant / "goldens.json").read_text())
    together = run(model, [golden["ids"] for golden in goldens])
    np.testing.assert_allclose(together, [golden["logits"] for golden in goldens], atol=1e-5)


def changed(tmp_path: Path, **changes) -> Path:
    shutil.copytree(TINY / "absolute", tmp_path / "checkpoint")
    file = tmp_path / "checkpoint" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return tmp_path / "checkpoint"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "bert"}, "model_type is 'bert'"),
        ({"relative_attention": False}, "relative_attention is False"),
        ({"pos_att_type": ["c2p"]}, "only c2p with p2c"),
        ({"conv_kernel_size": 3}, "convolution"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
    ],
)
def test_an_unsupported_architecture_is_named(tmp_path, changes, says):
    with pytest.raises(graph.UnsupportedCheckpoint, match=says):
        graph.build(changed(tmp_path, **changes), MAX_TOKENS)


def test_a_missing_tensor_is_named(tmp_path):
    folder = changed(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["pooler.dense.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(graph.UnsupportedCheckpoint, match=r"pooler\.dense\.weight"):
        graph.build(folder, MAX_TOKENS)


def test_more_tokens_than_absolute_positions_is_refused():
    with pytest.raises(graph.UnsupportedCheckpoint, match="only 64 absolute positions"):
        graph.build(TINY / "absolute", 65)
