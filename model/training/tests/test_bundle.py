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
from words import ONE_SEGMENT, SPECIAL, TWO_SEGMENTS, WORDS, save_tokenizer

from winnow_training import bundle, engine, rewrite
from winnow_training.pairs import LABELS


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """The tiny checkpoint with a tokenizer of one word a token, which cuts and pads as downloaded ones sometimes do."""
    folder = tmp_path_factory.mktemp("built") / "checkpoint"
    shutil.copytree(Path(__file__).parent / "tiny" / "absolute", folder)
    save_tokenizer(folder, ONE_SEGMENT)
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
    for name, bound in {"severe": 0, "review": 0.9, "weak": 0.02}.items():
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


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--name", "snack gate"), "argument --name: 'snack gate' is empty or holds an @ or white space"),
        (("--name", "snack@gate"), "argument --name: 'snack@gate' is empty"),
        (("--name", ""), "argument --name: '' is empty"),
        (("--max-tokens", "4"), "argument --max-tokens: '4' must be 5 to 512"),
        (("--max-tokens", "513"), "argument --max-tokens: '513' must be 5 to 512"),
        (("--missed-severe", "2"), "argument --missed-severe: '2' must be a share, 0 to 1"),
        (("--missed-severe", "nan"), "argument --missed-severe: 'nan' must be a share, 0 to 1"),
        (("--severe-precision=-0.1",), "argument --severe-precision: '-0.1' must be a share, 0 to 1"),
        (("--lost-relevant", "5%"), "argument --lost-relevant: '5%' must be a share, 0 to 1"),
        (("--severe-share", "0"), "must each be above 0 and together below 1"),
        (("--weak-share", "0.96"), "must each be above 0 and together below 1"),
        (("--out", __file__), "is a file: name the folder of the bundle"),
        (("--out", str(Path(__file__).parent)), "holds files but no manifest.json: not replacing what is no bundle"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_runs(monkeypatch, capsys, tmp_path, checkpoint, options, says):
    monkeypatch.setattr(bundle, "build", lambda _: pytest.fail("it ran"))
    with pytest.raises(SystemExit) as refused:
        build(monkeypatch, checkpoint, tmp_path / "out", (tmp_path, tmp_path), *options)
    assert refused.value.code == 2
    assert says in capsys.readouterr().err


def test_a_build_that_fails_at_its_end_leaves_the_bundle_from_before(monkeypatch, tmp_path, checkpoint):
    build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path))
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    monkeypatch.setattr(bundle, "file_entry", lambda _: {}["nothing"])
    with pytest.raises(KeyError):
        build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path))
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    assert {file.name for file in tmp_path.iterdir()} == {"out", "pairs.csv", "split.csv"}


def test_a_template_changes_nothing_that_the_gate_does_not_read(monkeypatch, tmp_path, checkpoint):
    """Without a template the figures are those of framed pairs: the gate frames whatever the file says."""
    metrics = []
    for template in (TWO_SEGMENTS, None):
        folder = tmp_path / str(template is None)
        shutil.copytree(checkpoint, folder)
        save_tokenizer(folder, template)
        metrics.append(build(monkeypatch, folder, tmp_path / "out", labelled(tmp_path))["metrics"])
    assert metrics[0] == metrics[1]


def test_a_token_without_an_embedding_is_named(monkeypatch, tmp_path, checkpoint):
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint, folder)
    save_tokenizer(folder, None, [*SPECIAL, *WORDS, "halal"])
    with pytest.raises(
        SystemExit, match=r'tokenizer\.json: token "halal" has the id 40, but config\.json\'s vocab_size is 40'
    ):
        build(monkeypatch, folder, tmp_path / "out", labelled(tmp_path))


def test_logits_that_are_no_numbers_are_no_parity(monkeypatch, tmp_path, checkpoint):
    monkeypatch.setattr(bundle, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(SystemExit, match="differ by nan from the checkpoint's"):
        build(monkeypatch, checkpoint, tmp_path / "out", labelled(tmp_path))


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
