"""Labels are mapped by name, whatever their order and number; what can't be mapped is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from words import ONE_SEGMENT, TWO_SEGMENTS, save_tokenizer

from winnow_training.checkpoint import Checkpoint, UnsupportedCheckpoint
from winnow_training.metrics import softmax
from winnow_training.pairs import LABELS

BFLOAT16 = b'{"deberta.embeddings.word_embeddings.weight":{"dtype":"BF16","shape":[40,16],"data_offsets":[0,1280]}}'.ljust(
    128
)
TINY = Path(__file__).parent / "tiny"


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY / "absolute", tmp_path / "checkpoint"))


def labelled(tmp_path: Path, *names: str) -> Path:
    """The checkpoint with that many labels, called names."""
    folder = copied(tmp_path)
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


def damaged(tmp_path: Path, name: str, tensor: np.ndarray) -> Path:
    folder = copied(tmp_path)
    save_file(load_file(folder / "model.safetensors") | {name: tensor}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["deberta.embeddings.word_embeddings.weight", "classifier.bias", "pooler.dense.weight"])
def test_a_weight_that_is_not_finite_is_named(tmp_path, name, number):
    tensor = load_file(TINY / "absolute" / "model.safetensors")[name]
    tensor.flat[-1] = number
    with pytest.raises(UnsupportedCheckpoint, match=rf"tensor {name} holds a NaN or an infinity"):
        Checkpoint(damaged(tmp_path, name, tensor))


@pytest.mark.parametrize(
    ("name", "tensor", "says"),
    [
        ("pooler.dense.bias", np.zeros(15, np.float32), "tensor pooler.dense.bias is 15, config.json beside it says 16"),
        ("classifier.weight", np.zeros((3, 15), np.float32), "tensor classifier.weight is 3 x 15, .* says 3 x 16"),
        ("classifier.weight", np.zeros((0, 16), np.float32), "tensor classifier.weight is 0 x 16, .* says 1 x 16"),
        ("classifier.weight", np.zeros((), np.float32), "tensor classifier.weight is one number, .* says 1 x 16"),
        ("classifier.bias", np.zeros(2, np.float32), "tensor classifier.bias is 2, .* says 3"),
        ("pooler.dense.bias", np.zeros(16, np.int8), "tensor pooler.dense.bias holds int8: save it in float32"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, name, tensor, says):
    with pytest.raises(UnsupportedCheckpoint, match=says):
        Checkpoint(damaged(tmp_path, name, tensor))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git LFS pointer, .* run git lfs pull"),
        (b"", "is broken or cut short"),
        ((TINY / "absolute" / "model.safetensors").read_bytes()[:-1], "is broken or cut short .* fetch or save it again"),
        (len(BFLOAT16).to_bytes(8, "little") + BFLOAT16 + bytes(1280), "save it in float32"),
    ],
)
def test_weights_that_can_not_be_read_say_what_to_do(tmp_path, content, says):
    folder = copied(tmp_path)
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UnsupportedCheckpoint, match=rf"model\.safetensors: .*{says}"):
        Checkpoint(folder)


def test_weights_cut_into_several_files_say_how_to_join_them(tmp_path):
    folder = copied(tmp_path)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(UnsupportedCheckpoint, match=r"cut into several files: .* max_shard_size"):
        Checkpoint(folder)


@pytest.mark.parametrize("content", ["[]", '{"base": 5}', "nonsense"])
def test_a_training_note_that_is_none_is_named(tmp_path, content):
    folder = copied(tmp_path)
    (folder / "training.json").write_text(content)
    with pytest.raises(UnsupportedCheckpoint, match=r"training\.json: "):
        Checkpoint(folder).training()


@pytest.mark.parametrize(
    ("template", "settings", "separator"),
    [
        (TWO_SEGMENTS, None, 2),
        (None, None, 2),  # without a template Hugging Face's tokenizers give the second side type 1
        (TWO_SEGMENTS, ["input_ids", "attention_mask"], None),
        (TWO_SEGMENTS, ["input_ids", "token_type_ids"], 2),
        (ONE_SEGMENT, None, None),
    ],
)
def test_segments_are_those_that_the_tokenizer_gave_in_training(tmp_path, template, settings, separator):
    folder = copied(tmp_path)
    save_tokenizer(folder, template)
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps({"model_input_names": settings}))
    assert Checkpoint(folder).separator == separator


def test_segments_that_add_the_same_are_none(tmp_path):
    folder = copied(tmp_path)
    save_tokenizer(folder, TWO_SEGMENTS)
    weights = load_file(folder / "model.safetensors")
    name = "deberta.embeddings.token_type_embeddings.weight"
    save_file(weights | {name: np.repeat(weights[name][:1], 2, axis=0)}, folder / "model.safetensors")
    assert Checkpoint(folder).separator is None


def test_other_segments_are_refused(tmp_path):
    folder = copied(tmp_path)
    save_tokenizer(folder, "[CLS] $A:1 [SEP]:1 $B [SEP]")
    with pytest.raises(UnsupportedCheckpoint, match=r"gives a pair the token types \[0, 1, 1, 0, 0\], supported are"):
        _ = Checkpoint(folder).separator
