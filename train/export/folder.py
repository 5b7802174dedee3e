"""The folder of an export: whole, or not there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from train.errors import RequestError


def refuse_taken(out: Path) -> None:
    """Raises RequestError if something is at `out` that an export would mix with."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RequestError(f"{out} is not empty, and an export would mix with what is there: give another --out.")


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes `out` when the block ends well and vanishes otherwise."""
    refuse_taken(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.unfinished-", dir=out.parent))
    try:
        yield folder
        for path in folder.iterdir():
            path.chmod(0o644)
        folder.chmod(0o755)
        refuse_taken(out)  # it may have been filled meanwhile
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
