"""`harvest report`: a shard set as one HTML page to look at and to pick from by hand."""

from pathlib import Path

from harvest.errors import RequestError
from harvest.report import ReportConfig, SetTables, render
from shards.replacing import replacing_file

PAGE_NAME = "report.html"


def report(shards: Path, out: Path | None, config: ReportConfig, *, compare: Path | None, work: Path | None) -> Path:
    """Write the page of the set in `shards`; into `out`, or beside the set's folder. Returns where it lies.

    Raises ShardsError for what is no sound set, and RequestError for a place that cannot be written to.
    """
    path = shards.absolute().parent / PAGE_NAME if out is None else out
    if shards.resolve() in path.resolve().parents:
        raise RequestError(f"{path} would lie in the set itself, which nothing may be added to: choose another --out.")
    if path.is_dir():
        raise RequestError(f"{path} is a folder: name a file with --out, such as {path / PAGE_NAME}.")
    if work is not None and not work.is_dir():
        raise RequestError(f"There is no work folder {work}, so the pictures of dropped pairs cannot be shown.")
    other = None if compare is None else SetTables.read(compare)
    page = render(SetTables.read(shards), config, work=work, other=other)
    try:
        with replacing_file(path) as partial:
            partial.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{path} cannot be written ({error.strerror}): choose another --out.") from None
    return path
