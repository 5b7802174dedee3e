"""`train export`: a run in, a folder out that others load without this package."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from train import runs
from train.errors import RequestError
from train.export import hf, onnx
from train.export.card import render
from train.export.folder import appearing, refuse_taken
from train.trained import Trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be exported, to what."""

    to: str
    checkpoint: Path | None  # a run or a checkpoint; None is the newest run
    out: Path | None  # None is a folder in the run's


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was written, and how it is loaded."""

    folder: Path
    files: Sequence[str]
    loading: str  # Python


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of folder others can load."""

    write: Callable[[Path, Trained], None]
    library: str  # as the hub calls it
    usage: str  # Python, for the card
    loading: str  # Python, for the terminal


FORMATS = {
    "hf": Format(write=hf.write_hf, library="transformers", usage=hf.USAGE, loading=hf.LOADING),
    "onnx": Format(write=onnx.write_onnx, library="onnxruntime", usage=onnx.USAGE, loading=onnx.LOADING),
}


def export(request: Request) -> Report:
    """Write the folder, whole or not at all."""
    if request.to not in FORMATS:
        raise RequestError(f"There is no format {request.to!r}: choose one of {', '.join(FORMATS)}.")
    chosen = FORMATS[request.to]
    path = request.checkpoint or runs.newest_run()
    out = request.out or runs.run_of(path) / f"export-{request.to}"
    refuse_taken(out)  # before the weights are read
    trained = Trained.load(path)
    with appearing(out) as folder:
        chosen.write(folder, trained)
        card = render(trained, library=chosen.library, usage=chosen.usage)
        (folder / "README.md").write_text(card, encoding="utf-8")
    loading = chosen.loading.replace("FOLDER", str(out))
    return Report(folder=out, files=sorted(file.name for file in out.iterdir()), loading=loading)
