"""A bundle turned back into a checkpoint computes what the bundle's graph computes."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from test_graph import MAX_TOKENS, TINY, VARIANTS, changed, goldens
from test_quantise import OneTokenAWord, pairs
from words import ONE_SEGMENT, TWO_SEGMENTS, save_tokenizer

from winnow_training import quantise
from winnow_training.checkpoint import Checkpoint
from winnow_training.deberta import Deberta
from winnow_training.grid import encode_rows
from winnow_training.reference import Reference
from winnow_training.unfold import unfold


def bundled(tmp_path: Path, model: onnx.ModelProto) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "manifest.json").write_text(json.dumps({"training": {"base": "tiny"}}))
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_bundle_unfolds_to_the_checkpoint_that_it_was_built_from(tmp_path, variant):
    unfold(bundled(tmp_path, Deberta(Checkpoint(TINY / variant), MAX_TOKENS).build()), tmp_path / "out")
    before, after = Reference(Checkpoint(TINY / variant)), Reference(Checkpoint(tmp_path / "out"))
    for ids, _ in goldens(variant):
        np.testing.assert_allclose(after.logits(ids), before.logits(ids), atol=1e-5)


@pytest.mark.parametrize("template", [ONE_SEGMENT, TWO_SEGMENTS])
def test_what_is_built_again_of_a_bundle_has_its_segments(tmp_path, template):
    """A row of types that the graph lacks must not come back as another one: the tokenizer may ask for it."""
    folder = changed(tmp_path)
    tokenizer = save_tokenizer(folder, template)
    before = Checkpoint(folder)
    bundle = bundled(tmp_path, Deberta(before, MAX_TOKENS).build())
    shutil.copyfile(tokenizer, bundle / "tokenizer.json")
    unfold(bundle, tmp_path / "out")
    save_tokenizer(tmp_path / "out", TWO_SEGMENTS)
    pair = [1, 5, 6, 2, 7, 8, 2]
    expected = Reference(before).logits(pair)
    np.testing.assert_allclose(Reference(Checkpoint(tmp_path / "out")).logits(pair), expected, atol=1e-5)


def test_a_bundle_in_8_bits_unfolds_to_the_weights_it_computes_with(tmp_path):
    """They are at most half a step of the grid from the checkpoint's, whatever was migrated into them."""
    checkpoint, sample = Checkpoint(TINY / "absolute"), pairs(60)
    choices = quantise.quantisers(checkpoint, MAX_TOKENS, OneTokenAWord(), sample)
    unfold(bundled(tmp_path, Deberta(checkpoint, MAX_TOKENS, choices).build()), tmp_path / "out")
    unfolded = Checkpoint(tmp_path / "out")
    rounded = [name for name in choices if name.endswith("dense")]
    assert len(rounded) == 3
    for name in rounded:
        migration = choices[name].migration
        _, scales = encode_rows(checkpoint[f"{name}.weight"] / migration, paired=True)
        moved = np.abs(unfolded[f"{name}.weight"] - checkpoint[f"{name}.weight"]) / migration
        assert moved.max() > 0 and (moved <= 0.51 * scales).all()


def test_a_graph_that_does_not_say_what_it_was_built_from_is_refused(tmp_path):
    model = Deberta(Checkpoint(TINY / "absolute"), MAX_TOKENS).build()
    del model.metadata_props[:]
    with pytest.raises(ValueError, match="build the bundle again"):
        unfold(bundled(tmp_path, model), tmp_path / "out")
