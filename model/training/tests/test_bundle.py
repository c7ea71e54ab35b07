"""The builder as a user runs it, from a checkpoint folder and a CSV file to a bundle, and what it refuses."""

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from test_fuse import fuse_nothing
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from winnow_training import bundle, engine, rewrite
from winnow_training.pairs import LABELS

WORDS = [f"w{index}" for index in range(36)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """The tiny checkpoint with a tokenizer of one word a token, which cuts and pads as downloaded ones sometimes do."""
    folder = tmp_path_factory.mktemp("built") / "checkpoint"
    shutil.copytree(Path(__file__).parent / "tiny" / "absolute", folder)
    names = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    pair = "[CLS] $A [SEP] $B [SEP]"
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", pair, [("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def labelled(folder: Path, labels: tuple[str, ...] = LABELS) -> tuple[Path, Path]:
    """600 pairs of 30 themes, and which theme is in which part."""
    generator = np.random.default_rng(0)
    pairs, split = folder / "pairs.csv", folder / "split.csv"
    with open(pairs, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["theme", "title", "label"])
        for theme in range(30):
            for _ in range(20):
                writer.writerow([f"w{theme}", " ".join(generator.choice(WORDS, 5)), generator.choice(labels)])
    parts = ["train"] * 10 + ["validation"] * 10 + ["test"] * 10
    split.write_text("theme,part\n" + "".join(f"w{theme},{part}\n" for theme, part in enumerate(parts)))
    return pairs, split


def build(monkeypatch, checkpoint: Path, out: Path, files: tuple[Path, Path], *options: str) -> dict:
    arguments = ["--checkpoint", checkpoint, "--out", out, "--pairs", files[0], "--split", files[1], "--max-tokens", 48]
    loose = ["--name", "tiny", "--missed-severe", "0.9", "--severe-precision", "0"]  # the tiny checkpoint has learnt nothing
    monkeypatch.setattr(sys, "argv", ["bundle", *map(str, arguments), *loose, *options])
    bundle.main()
    return json.loads((out / "manifest.json").read_text())


def test_a_checkpoint_becomes_a_bundle(monkeypatch, tmp_path, checkpoint):
    manifest = build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path))
    assert manifest["parity"]["pairs"] == 600
    assert manifest["parity"]["largest_logit_difference"] <= 1e-5
    assert manifest["format"] == 2 and manifest["arithmetic"] == "fp32"
    for name, bound in {"severe": 0, "review": 0.9, "weak": 0.05}.items():
        threshold = manifest["thresholds"][name]
        assert 0 < threshold["value"] <= 1 and threshold["bound"] == bound and threshold["method"]
        assert threshold["positives"] > 0 and threshold["interval"][0] <= threshold["reached"] <= threshold["interval"][1]
    assert manifest["thresholds"]["severe"]["severe_share"] == manifest["calibration"]["prior"]["severe"] == 0.04
    assert [row["products"] for row in manifest["metrics"]["placements"]] == [5, 10, 20]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*manifest["files"], "manifest.json"}
    tokenizer = json.loads((tmp_path / "out" / "tokenizer.json").read_text())
    assert tokenizer["truncation"] is None and tokenizer["padding"] is None
    build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path))  # over the one before


def test_pairs_that_the_gate_would_not_score_are_left_out_and_counted(monkeypatch, tmp_path, checkpoint, capsys):
    files = labelled(tmp_path)
    with open(files[0], "a") as file:
        file.write("w25,w1 другое,severe\n" * 3)
    assert build(monkeypatch, checkpoint, tmp_path / "out", files)["parity"]["pairs"] == 600
    assert "3 pairs are left out" in capsys.readouterr().out


def test_a_folder_that_is_no_bundle_is_not_replaced(monkeypatch, tmp_path, checkpoint):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(SystemExit, match=r"holds files but no manifest\.json"):
        build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path))
    assert (tmp_path / "out" / "thesis.tex").exists()


def test_thresholds_without_a_severe_pair_are_refused(monkeypatch, tmp_path, checkpoint):
    with pytest.raises(SystemExit, match="the themes of the validation part hold no severe pair: label more themes"):
        build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path, ("relevant", "weak")))


def test_a_graph_that_differs_from_its_checkpoint_is_refused(monkeypatch, tmp_path, checkpoint):
    monkeypatch.setattr(bundle, "largest_difference", lambda *_: 2e-5)
    with pytest.raises(SystemExit, match=r"differ by 2\.0e-05 from the checkpoint's, at most 1e-05"):
        build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path))
    assert not (tmp_path / "out").exists()


def test_operators_that_compute_something_else_than_the_graph_says_are_refused(monkeypatch, tmp_path, checkpoint):
    right = engine.logits_of
    monkeypatch.setattr(
        engine, "logits_of", lambda *given, operators=True: right(*given, operators=operators) + 0.01 * operators
    )
    with pytest.raises(SystemExit, match=r"move a logit by 1\.0e-02, at most 1e-03 is allowed"):
        build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path))
    assert not (tmp_path / "out").exists()


def test_an_int8_bundle_says_what_it_changed(monkeypatch, tmp_path, checkpoint):
    monkeypatch.setattr("winnow_training.quantise.MOST_FLIPS", 1)
    manifest = build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path), "--arithmetic", "int8")
    assert manifest["quantisation"]["spread"] < 1e-5
    assert manifest["quantisation"]["products"] + len(manifest["quantisation"]["kept_fp32"]) == 5
    assert "matrix products take 8-bit inputs" in (tmp_path / "out" / "card.md").read_text()


@pytest.fixture
def from_before(monkeypatch, tmp_path, checkpoint) -> Path:
    """A bundle in 8 bits whose operators nobody joined."""
    with monkeypatch.context() as before:
        before.setattr("winnow_training.quantise.MOST_FLIPS", 1)
        before.setattr("winnow_training.quantise.AIMED_FLIPS", 1)  # every product in 8 bits
        before.setattr("winnow_training.quantise.MOST_APPROVED", 1)
        before.setattr("winnow_training.deberta.fuse", fuse_nothing)
        build(before, checkpoint, tmp_path / "out", labelled(tmp_path), "--arithmetic", "int8")
    return tmp_path / "out"


def run_rewrite(monkeypatch, folder: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["rewrite", "--bundle", str(folder)])
    monkeypatch.setattr(rewrite, "PARITY_PAIRS", 40)
    rewrite.main()


def test_a_bundle_from_before_is_rewritten_with_joined_operators(monkeypatch, from_before):
    old = json.loads((from_before / "manifest.json").read_text())
    run_rewrite(monkeypatch, from_before)
    new = json.loads((from_before / "manifest.json").read_text())
    assert new["files"].pop("model.onnx") == bundle.file_entry(from_before / "model.onnx")
    assert old["files"].pop("model.onnx") and new == old  # thresholds, figures and all else
    assert "QuantisedGelu" in {node.op_type for node in onnx.load(str(from_before / "model.onnx")).graph.node}


def test_a_rewritten_graph_that_scores_otherwise_is_not_written(monkeypatch, from_before):
    files = [from_before / name for name in ("model.onnx", "manifest.json")]
    before = [file.read_bytes() for file in files]
    answers = iter([np.zeros((40, 3)), np.ones((40, 3))])
    monkeypatch.setattr(engine, "logits_of", lambda *_, **__: next(answers))
    with pytest.raises(SystemExit, match="gives other logits when its operators are joined: nothing is written"):
        run_rewrite(monkeypatch, from_before)
    assert [file.read_bytes() for file in files] == before


def test_a_graph_that_its_manifest_does_not_know_is_not_rewritten(monkeypatch, from_before):
    with open(from_before / "model.onnx", "ab") as file:
        file.write(b" ")
    with pytest.raises(SystemExit, match="is not what the manifest beside it says"):
        run_rewrite(monkeypatch, from_before)


def test_a_folder_without_a_bundle_is_not_rewritten(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match=r"manifest\.json"):
        run_rewrite(monkeypatch, tmp_path)
