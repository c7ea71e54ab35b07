"""Where a bundle is written: beside the place that it is meant for, and swapped in when it is whole.

Whoever stops a build, or fails it, keeps the bundle from before.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp


def refuse_place(out: Path) -> None:
    """Refuses a place whose content is no bundle."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: name the folder of the bundle")
    if out.is_dir() and any(out.iterdir()) and not (out / "manifest.json").exists():
        raise ValueError(f"{out} holds files but no manifest.json: not replacing what is no bundle")


@contextmanager
def swapped_in(out: Path) -> Iterator[Path]:
    """An empty folder that becomes out when the block ends well, and is gone when it does not.

    A killed build leaves a hidden folder beside out that nothing reads; between the two renames it holds the old bundle.
    """
    out = out.resolve()  # where a link leads, the bundle goes
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    unfinished, before = beside / "unfinished", beside / "before"
    try:
        unfinished.mkdir()
        yield unfinished
        refuse_place(out)
        if out.exists():
            out.rename(before)
        try:
            unfinished.rename(out)
        except OSError:
            if before.exists():
                before.rename(out)
            raise
    finally:
        if out.exists() or not before.exists():
            shutil.rmtree(beside, ignore_errors=True)
