"""All lessons made, kept for the next time, and given addresses that put each into the split it was planned for.

plan_lessons() -> make_course(folder, lessons) -> links(made, port=...) -> MediaServer(links)
"""

import hashlib
import itertools
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harvest.sources import link_id
from shards.split import split_of
from tests.makers.lessons import Lesson, make_lesson
from tests.makers.server import MediaLink, url_of
from tests.makers.timeline import Truth

MANIFEST = "manifest.json"
MAKERS = ("drawing", "lessons", "speech", "timeline", "video")  # the modules that shape a lesson


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLesson:
    lesson: Lesson
    truth: Truth
    size: int  # bytes of its file


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    digest: str
    made: tuple[MadeLesson, ...]


_MANIFEST = TypeAdapter(Manifest)


def kept_course(folder: Path, lessons: Sequence[Lesson]) -> tuple[MadeLesson, ...] | None:
    """What `make_course` made before, if it is whole and would be made the same way today."""
    try:
        manifest = _MANIFEST.validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None
    whole = all(_size(folder / made.lesson.file) == made.size for made in manifest.made)
    return manifest.made if whole and manifest.digest == course_digest(lessons) else None


def make_course(folder: Path, lessons: Sequence[Lesson]) -> Iterator[MadeLesson]:
    """Render all lessons into `folder`, on every core; each is given out when it is done, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    made = []
    # Fresh processes: one forked from here would inherit a voice whose threads it does not have. Ctrl-C is ours.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), fresh, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        for lesson, truth in zip(lessons, pool.map(partial(make_lesson, folder=folder), lessons), strict=True):
            made.append(MadeLesson(lesson=lesson, truth=truth, size=_size(folder / lesson.file)))
            yield made[-1]
    partial_manifest = folder / f".{MANIFEST}.partial"
    partial_manifest.write_bytes(
        _MANIFEST.dump_json(Manifest(digest=course_digest(lessons), made=tuple(made)), indent=1)
    )
    partial_manifest.replace(folder / MANIFEST)


def links(made: Iterable[MadeLesson], folder: Path, *, port: int) -> tuple[MediaLink, ...]:
    """Where the lessons are to be had. A video's split is decided by its address, so each gets a fitting one."""
    return tuple(
        MediaLink(name=_fitting_name(each.lesson, port), file=folder / each.lesson.file, title=each.lesson.title)
        for each in made
    )


def course_digest(lessons: Sequence[Lesson]) -> str:
    """Changes with the plan of the lessons and with the code that makes them."""
    digest = hashlib.sha256(repr(lessons).encode())
    for name in MAKERS:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()


def _fitting_name(lesson: Lesson, port: int) -> str:
    names = (f"{Path(lesson.file).stem}-{number}.mp4" for number in itertools.count(1))
    return next(name for name in names if split_of(link_id(url_of(name, port=port))) == lesson.split)


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else -1
