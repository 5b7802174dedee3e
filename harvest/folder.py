"""One video's place on disk: `<work>/<video id>/`, a record per finished step, each written whole or not at all.

A record's file bears the fingerprint of what made it: the settings that shape it and the fingerprint of what it
was made from. *Is it done?* is the question this folder answers; why not, is the ledger's.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harvest.errors import HarvestError
from harvest.records import SCHEMA, Record, RecordType, Scenes, Transcript, Video, VideoRef, from_json, to_json

FILES: dict[type, str] = {
    VideoRef: "ref.json",
    Video: "video.json",
    Transcript: "transcript.json",
    Scenes: "scenes.json",
}
ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class BrokenRecord(HarvestError):
    """A record's file does not hold what it should."""


class VideoFolder:
    """The records and files of one video."""

    def __init__(self, work: Path, video_id: str) -> None:
        if not ID_PATTERN.fullmatch(video_id):
            raise ValueError(f"{video_id!r:.120} cannot name a folder")
        self.video_id = video_id
        self.path = work / video_id

    def save(self, record: Record, fingerprint: str) -> None:
        """Write `record`, replacing the one of its kind."""
        self.path.mkdir(parents=True, exist_ok=True)
        envelope = {"schema": SCHEMA, "fingerprint": fingerprint, "record": to_json(record)}
        write_whole(self.path / FILES[type(record)], json.dumps(envelope, indent=1) + "\n")

    def load(self, kind: type[RecordType]) -> RecordType:
        """Read the record of a kind. Raises BrokenRecord if it is missing or damaged."""
        path = self.path / FILES[kind]
        try:
            return from_json(kind, self._envelope(kind)["record"])  # type: ignore[arg-type]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BrokenRecord(
                f"{path} cannot be read ({error}): delete it, and 'harvest collect' makes it anew."
            ) from None

    def fingerprint(self, kind: type[Record]) -> str:
        """The fingerprint of the record of a kind, "" when there is none to rely on."""
        try:
            return str(self._envelope(kind)["fingerprint"])
        except (OSError, ValueError, KeyError):
            return ""

    def has(self, kind: type[Record], fingerprint: str) -> bool:
        """Whether the record of a kind is there and was made as `fingerprint` says."""
        return self.fingerprint(kind) == fingerprint

    def discard(self, kind: type[Record]) -> None:
        """Take a record away, before the files that it names are replaced."""
        (self.path / FILES[kind]).unlink(missing_ok=True)

    @contextmanager
    def replacing_subfolder(self, name: str, kind: type[Record]) -> Iterator[Path]:
        """A temporary folder that becomes the subfolder `name` when the block ends well.

        The record of `kind`, which names files in it, is discarded first: no record ever names other files
        than those it was made with.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self.path))
        try:
            yield temporary
            for path in temporary.iterdir():
                flush(path)
            self.discard(kind)
            shutil.rmtree(self.path / name, ignore_errors=True)
            temporary.rename(self.path / name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a killed run left half-made. Only while nobody works on this video."""
        for path in self.path.glob(".*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _envelope(self, kind: type[Record]) -> dict[str, object]:
        envelope = json.loads((self.path / FILES[kind]).read_text(encoding="utf-8"))
        if not isinstance(envelope, dict) or envelope.get("schema") != SCHEMA:
            raise ValueError(f"not a record of schema {SCHEMA}")
        return envelope


def finished_ids(work: Path) -> list[str]:
    """The ids of all videos in a work folder that have every record, sorted."""
    kinds = [file for kind, file in FILES.items() if kind is not VideoRef]
    return [name for name in begun_ids(work) if all((work / name / file).is_file() for file in kinds)]


def begun_ids(work: Path) -> list[str]:
    """The ids of all videos that have a folder in a work folder, sorted."""
    folders = (path for path in work.glob("*") if ID_PATTERN.fullmatch(path.name) and path.is_dir())
    return sorted(path.name for path in folders)


def flush(path: Path) -> None:
    """Have a file's bytes on the disk before a record names it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a power cut, finds the old or the new content, never a part."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
