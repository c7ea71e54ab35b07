import json

import numpy as np

from winnow_training.compact import is_foreign, prune_vocabulary
from winnow_training.grid import encode_rows, round_rows


def test_the_grid_is_idempotent_and_near():
    weights = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    weights[2] = 0
    rounded = round_rows(weights)
    assert np.abs(rounded - weights).max() <= np.abs(weights).max() / 254 + 1e-6
    np.testing.assert_allclose(round_rows(rounded), rounded, rtol=1e-6)
    assert (encode_rows(rounded)[0] == encode_rows(weights)[0]).all()


def test_foreign_pieces_are_placeholders_and_other_scripts():
    assert [piece for piece in ("[unused1]", "寿", "##ب", "д") if not is_foreign(piece)] == []
    assert [piece for piece in ("[CLS]", "café", "##ing", "7", "½", "!", "ß") if is_foreign(piece)] == []


def test_pruning_renumbers_the_vocabulary_and_switches_padding_off():
    tokenizer = {
        "model": {"vocab": {"[PAD]": 0, "[unused0]": 1, "[UNK]": 2, "寿": 3, "oat": 4}},
        "added_tokens": [{"content": "[UNK]", "id": 2}],
        "post_processor": None,
        "truncation": {"max_length": 8},
        "padding": {"length": 8},
    }
    pruned, kept = prune_vocabulary(json.loads(json.dumps(tokenizer)))
    assert pruned["model"]["vocab"] == {"[PAD]": 0, "[UNK]": 1, "oat": 2}
    assert kept == [0, 2, 4]
    assert pruned["added_tokens"][0]["id"] == 1
    assert pruned["truncation"] is None and pruned["padding"] is None
