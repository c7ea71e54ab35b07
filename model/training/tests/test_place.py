"""A bundle that is there stays until the next one is whole."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from winnow_training.place import refuse_place, swapped_in


def write(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)


@pytest.fixture
def before(tmp_path) -> Path:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", "before")
    return tmp_path / "out"


def test_the_new_bundle_takes_the_place_when_it_is_whole(before):
    with swapped_in(before) as folder:
        write(folder, "after")
        assert folder.parent.parent == before.parent  # a rename, never a copy
        assert (before / "manifest.json").read_text() == "before"
    assert (before / "manifest.json").read_text() == "after"
    assert list(before.parent.iterdir()) == [before]


def test_a_failed_build_leaves_the_bundle_and_nothing_else(before):
    with pytest.raises(RuntimeError), swapped_in(before) as folder:
        write(folder, "half")
        raise RuntimeError
    assert (before / "manifest.json").read_text() == "before"
    assert list(before.parent.iterdir()) == [before]


def test_a_killed_build_leaves_the_bundle(before):
    script = (
        "import os, pathlib, signal, sys\n"
        "from winnow_training.place import swapped_in\n"
        "with swapped_in(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'manifest.json').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parent.parent
    killed = subprocess.run([sys.executable, "-c", script, str(before)], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [file.name for file in before.iterdir()] == ["manifest.json"]
    assert (before / "manifest.json").read_text() == "before"
    with swapped_in(before) as folder:  # and what it left is in nobody's way
        write(folder, "after")
    assert (before / "manifest.json").read_text() == "after"


def test_a_bundle_that_can_not_be_moved_in_leaves_the_one_before(before, monkeypatch):
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.name == "unfinished":
            raise OSError("no space")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="no space"), swapped_in(before) as folder:
        write(folder, "after")
    assert (before / "manifest.json").read_text() == "before"
    assert list(before.parent.iterdir()) == [before]


def test_a_bundle_is_readable_by_whom_a_new_folder_is(tmp_path):
    with swapped_in(tmp_path / "out") as folder:
        write(folder, "first")
    (tmp_path / "other").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_what_appears_during_the_build_is_not_replaced(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="not replacing what is no bundle"), swapped_in(out) as folder:
        write(folder, "after")
        out.mkdir()
        (out / "thesis.tex").touch()
    assert [file.name for file in out.iterdir()] == ["thesis.tex"]


def test_a_new_place_is_made_with_the_folders_above_it(tmp_path):
    with swapped_in(tmp_path / "a" / "b") as folder:
        write(folder, "first")
    assert (tmp_path / "a" / "b" / "manifest.json").read_text() == "first"


def test_where_a_link_leads_the_bundle_goes(before):
    link = before.parent / "current"
    link.symlink_to(before)
    with swapped_in(link) as folder:
        write(folder, "after")
    assert link.is_symlink() and (before / "manifest.json").read_text() == "after"


def test_a_file_is_no_place(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ValueError, match="is a file: name the folder"):
        refuse_place(tmp_path / "out")


def test_an_empty_folder_is_a_place(tmp_path):
    refuse_place(tmp_path)
