"""The graph builder against what transformers computed, read from files: no torch needed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from words import TWO_SEGMENTS, save_tokenizer

from winnow_training import engine
from winnow_training.checkpoint import Checkpoint, UnsupportedCheckpoint
from winnow_training.deberta import Deberta
from winnow_training.grid import round_rows
from winnow_training.pairs import LABELS
from winnow_training.reference import Reference

MAX_TOKENS = 48  # of winnow_training.tiny

TINY = Path(__file__).parent / "tiny"
VARIANTS = ["absolute", "shared", "convolution"]


pytestmark = pytest.mark.usefixtures("runtime")


def run(model, rows: list[list[int]]) -> np.ndarray:
    """Logits of rows in one padded batch."""
    length = max(map(len, rows))
    ids = np.zeros((len(rows), length), np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    session = engine.session(model.SerializeToString(), threads=1)
    return session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]


def goldens(variant: str) -> list[tuple[list[int], list[float]]]:
    """(ids, logits that transformers computed on torch, in the order of LABELS)."""
    columns = Checkpoint(TINY / variant).columns
    read = json.loads((TINY / variant / "goldens.json").read_text())
    return [(golden["ids"], [golden["logits"][columns[label]] for label in LABELS if label in columns]) for golden in read]


def known(variant: str, logits: np.ndarray) -> np.ndarray:
    """The columns of logits whose label the checkpoint has."""
    return logits[..., [index for index, label in enumerate(LABELS) if label in Checkpoint(TINY / variant).columns]]


@pytest.mark.parametrize("variant", VARIANTS)
def test_graph_equals_the_checkpoint_at_every_length(variant, runtime):
    model = Deberta(Checkpoint(TINY / variant), MAX_TOKENS).build()
    for ids, logits in goldens(variant):
        np.testing.assert_allclose(known(variant, run(model, [ids])[0]), logits, atol=runtime)


@pytest.mark.parametrize("variant", VARIANTS)
def test_padding_and_neighbours_change_nothing(variant, runtime):
    model = Deberta(Checkpoint(TINY / variant), MAX_TOKENS).build()
    together = run(model, [ids for ids, _ in goldens(variant)])
    np.testing.assert_allclose(known(variant, together), [logits for _, logits in goldens(variant)], atol=runtime)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_reference_equals_the_checkpoint_too(variant):
    reference = Reference(Checkpoint(TINY / variant))
    for ids, logits in goldens(variant):
        np.testing.assert_allclose(known(variant, reference.logits(ids)), logits, atol=1e-5)


@pytest.mark.parametrize("terms", [["c2p"], ["p2c"], []])
@pytest.mark.parametrize("variant", ["absolute", "shared"])
def test_graph_equals_the_reference_with_any_relative_terms(variant, terms, runtime):
    checkpoint = Checkpoint(TINY / variant)
    checkpoint.config["pos_att_type"] = terms
    model, reference = Deberta(checkpoint, MAX_TOKENS).build(), Reference(checkpoint)
    for ids, _ in goldens(variant):
        np.testing.assert_allclose(run(model, [ids])[0], reference.logits(ids), atol=runtime)


def test_lengths_beyond_the_exact_distances_are_exact(tmp_path, runtime):
    """Log buckets as DeBERTa-v3 has them: 256 buckets, distances exact below 128, pairs of up to 400 tokens."""
    folder = changed(tmp_path, "shared", position_buckets=256, max_position_embeddings=512, max_relative_positions=-1)
    weights = load_file(folder / "model.safetensors")
    table = np.random.default_rng(0).normal(size=(512, 16)).astype(np.float32)
    save_file(weights | {"deberta.encoder.rel_embeddings.weight": round_rows(table)}, folder / "model.safetensors")
    checkpoint = Checkpoint(folder)
    model, reference = Deberta(checkpoint, 400).build(), Reference(checkpoint)
    for length in (120, 129, 200, 400):
        ids = np.random.default_rng(length).integers(1, 40, length).tolist()
        np.testing.assert_allclose(run(model, [ids])[0], reference.logits(ids), atol=runtime)


def changed(tmp_path: Path, variant: str = "absolute", **changes) -> Path:
    shutil.copytree(TINY / variant, tmp_path / "checkpoint")
    file = tmp_path / "checkpoint" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return tmp_path / "checkpoint"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "bert"}, "key model_type: is 'bert'"),
        ({"pos_att_type": ["c2p", "p2p"]}, "key pos_att_type: is .*p2p.*, supported are c2p and p2c"),
        ({"conv_kernel_size": 3, "num_hidden_layers": 1}, "behind the only layer"),
        ({"hidden_act": "swish"}, "key hidden_act: is .swish., supported are gelu, relu, tanh"),
    ],
)
def test_an_unsupported_architecture_is_named(tmp_path, changes, says):
    with pytest.raises(UnsupportedCheckpoint, match=says):
        Deberta(Checkpoint(changed(tmp_path, **changes)), MAX_TOKENS).build()


def test_a_title_of_its_own_segment_is_computed_as_transformers_does(tmp_path, runtime):
    checkpoint = Checkpoint(changed(tmp_path))
    save_tokenizer(checkpoint.folder, TWO_SEGMENTS)
    model, reference = Deberta(checkpoint, MAX_TOKENS).build(), Reference(checkpoint)
    pairs = json.loads((TINY / "absolute" / "segments.json").read_text())
    together = run(model, [pair["ids"] for pair in pairs])
    for pair, logits in zip(pairs, together, strict=True):
        np.testing.assert_allclose(reference.logits(pair["ids"]), pair["logits"], atol=1e-5)
        np.testing.assert_allclose(run(model, [pair["ids"]])[0], pair["logits"], atol=runtime)
        np.testing.assert_allclose(logits, pair["logits"], atol=runtime)


def test_segments_without_absolute_positions_are_computed_too(tmp_path, runtime):
    folder = changed(tmp_path, "shared", type_vocab_size=2)
    types = round_rows(np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32))
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"deberta.embeddings.token_type_embeddings.weight": types}, folder / "model.safetensors")
    save_tokenizer(folder, TWO_SEGMENTS)
    checkpoint = Checkpoint(folder)
    model, reference = Deberta(checkpoint, MAX_TOKENS).build(), Reference(checkpoint)
    for pair in json.loads((TINY / "absolute" / "segments.json").read_text()):
        np.testing.assert_allclose(run(model, [pair["ids"]])[0], reference.logits(pair["ids"]), atol=runtime)


def test_a_missing_tensor_is_named(tmp_path):
    folder = changed(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["pooler.dense.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(UnsupportedCheckpoint, match=r"pooler\.dense\.weight"):
        Deberta(Checkpoint(folder), MAX_TOKENS).build()


def test_weights_off_the_int8_grid_are_kept_as_they_are(tmp_path, runtime):
    folder = changed(tmp_path)
    weights = load_file(folder / "model.safetensors")
    noise = np.random.default_rng(0)
    save_file(
        {name: tensor + 0.05 * noise.normal(size=tensor.shape).astype(np.float32) for name, tensor in weights.items()},
        folder / "model.safetensors",
    )
    checkpoint = Checkpoint(folder)
    model, reference = Deberta(checkpoint, MAX_TOKENS).build(), Reference(checkpoint)
    for ids, _ in goldens("absolute"):
        np.testing.assert_allclose(run(model, [ids])[0], reference.logits(ids), atol=runtime)


def test_more_tokens_than_absolute_positions_is_refused():
    with pytest.raises(
        UnsupportedCheckpoint,
        match="key max_position_embeddings: there are only 64 absolute positions, too few for 65 tokens",
    ):
        Deberta(Checkpoint(TINY / "absolute"), 65).build()
