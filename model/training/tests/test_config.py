"""config.json: what transformers takes where a key is missing, and one sentence that names the key where one is wrong."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_graph import MAX_TOKENS, TINY, VARIANTS, changed, goldens

from winnow_training.checkpoint import Checkpoint
from winnow_training.config import KEYS, UnsupportedCheckpoint, read_config
from winnow_training.deberta import Deberta
from winnow_training.reference import Reference


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"id2label": {"0": 0, "1": 1, "2": 2}}, "key id2label: .* the name of label 0 must be text"),
        ({"id2label": ["relevant", "weak", "severe"]}, "key id2label: .* must be an object from row to name"),
        ({"id2label": [1, 2]}, r"key id2label: is \[1, 2\], must be an object"),
        ({"position_buckets": None}, "key position_buckets: is null, must be a whole number"),
        ({"layer_norm_eps": "1e-7"}, 'key layer_norm_eps: is "1e-7", must be a number above 0'),
        ({"layer_norm_eps": float("nan")}, "key layer_norm_eps: is NaN"),
        ({"hidden_size": 16.0}, "key hidden_size: is 16.0, must be a whole number from 1"),
        ({"hidden_size": True}, "key hidden_size: is true"),
        (
            {"hidden_size": 8, "pooler_hidden_size": 8},
            r"word_embeddings\.weight is 40 x 16, config\.json beside it says 40 x 8",
        ),
        ({"vocab_size": 41}, r"word_embeddings\.weight is 40 x 16, config\.json beside it says 41 x 16"),
        ({"num_hidden_layers": 3}, r"encoder\.layer\.2\.attention.* is missing"),
        ({"num_attention_heads": 3}, "key num_attention_heads: is 3, must divide hidden_size, which is 16"),
        ({"attention_head_size": 4}, "key attention_head_size: is 4, only 8 is supported"),
        ({"pooler_hidden_size": 32}, "key pooler_hidden_size: is 32, must be hidden_size"),
        ({"relative_attention": "yes"}, 'key relative_attention: is "yes", must be true or false'),
        ({"pos_att_type": 5}, "key pos_att_type: is 5, supported are c2p and p2c"),
        ({"norm_rel_ebd": "batch_norm"}, "key norm_rel_ebd: is .batch_norm., supported are none and layer_norm"),
        ({"conv_kernel_size": 4}, "key conv_kernel_size: is 4, must be odd"),
        ({"conv_kernel_size": 3, "conv_groups": 3}, "key conv_groups: is 3, must divide hidden_size"),
        ({"max_relative_positions": 5}, "key position_buckets: is 8, the logarithm of distances is not defined"),
        ({"hidden_act": ["gelu"]}, "key hidden_act: is .*, supported are gelu, relu, tanh"),
    ],
)
def test_a_value_that_the_graph_can_not_read_is_named(tmp_path, changes, says):
    with pytest.raises(UnsupportedCheckpoint, match=says):
        Checkpoint(changed(tmp_path, **changes))


def without(tmp_path: Path, *keys: str) -> Path:
    folder = changed(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if key not in keys}))
    return folder


def test_what_is_missing_is_what_transformers_takes(tmp_path):
    checkpoint = Checkpoint(without(tmp_path, "layer_norm_eps", "hidden_act", "pooler_hidden_act", "pooler_hidden_size"))
    assert checkpoint.config["layer_norm_eps"] == 1e-7
    for ids, logits in goldens("absolute"):
        np.testing.assert_allclose(Reference(checkpoint).logits(ids), logits, atol=1e-5)


def test_a_missing_size_is_named(tmp_path):
    with pytest.raises(UnsupportedCheckpoint, match="key intermediate_size: is missing"):
        Checkpoint(without(tmp_path, "intermediate_size"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", r"config\.json: is not JSON in UTF-8"),
        (b"[1, 2]", r"config\.json: holds a list, must hold an object"),
        (b"null", "holds a NoneType"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a": "\xe9"}', "is not JSON in UTF-8"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark: save it as plain UTF-8"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git LFS pointer, .* run git lfs pull"),
        (b"{}", "key model_type: is None, must be 'deberta-v2'"),
    ],
)
def test_a_file_that_is_no_config_says_what_it_is(tmp_path, content, says):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(UnsupportedCheckpoint, match=says):
        read_config(tmp_path / "config.json")


def test_terms_mean_what_they_mean_to_transformers(tmp_path):
    checkpoint = Checkpoint(changed(tmp_path, pos_att_type="P2C | c2p|c2p"))
    assert checkpoint.config["pos_att_type"] == ["c2p", "p2c"]
    for ids, logits in goldens("absolute"):
        np.testing.assert_allclose(Reference(checkpoint).logits(ids), logits, atol=1e-5)


HOSTILE = [None, True, False, 0, -1, 1, 2, 3, 8, 64, 2**31, 10**30, 0.5, float("nan"), float("inf"), -1e300, "", "0", "gelu"]
HOSTILE += ["none", "c2p|p2c", [], [1], ["c2p"], [["c2p"]], {}, {"0": 1}, {"0": "severe"}, {"a": {"b": []}}]


@pytest.mark.parametrize("variant", VARIANTS)
def test_whatever_a_config_holds_it_builds_or_is_refused_in_a_sentence(tmp_path, variant):
    """Any key gone or of any value; what builds also computes what the reference does."""
    generator, folder, built = random.Random(7), tmp_path / "checkpoint", 0
    shutil.copytree(TINY / variant, folder)
    whole = json.loads((folder / "config.json").read_text())
    for _ in range(200):
        config = dict(whole)
        for key in generator.sample(sorted(config.keys() | KEYS.keys()), generator.choice((1, 1, 1, 2))):
            if generator.random() < 0.15:
                config.pop(key, None)
            else:
                config[key] = generator.choice(HOSTILE)
        (folder / "config.json").write_text(json.dumps(config))
        try:
            checkpoint = Checkpoint(folder, {"LABEL_0": "severe"})
            Deberta(checkpoint, MAX_TOKENS).build()
        except UnsupportedCheckpoint as refused:
            assert str(refused).startswith(f"{folder}/") and "\n" not in str(refused)
            continue
        assert np.isfinite(Reference(checkpoint).logits([1, 5, 2, 6, 2])).all()
        built += 1
    assert 0 < built < 200
