"""From what a person names to the videos it stands for, each once.

    urls.txt | folder | file | URL -> lines -> VideoRef ... (or a SourceFailure for a line that leads nowhere)

A line may be a video's page, a playlist or channel (expanded without fetching its videos), a link to a media
file, or a local file or folder. This module does not know whether a video was collected before.
"""

import contextlib
import errno
import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field

from configs import Config
from harvest import ytdlp
from harvest.errors import Reason, RequestError, StageError
from harvest.folder import ID_PATTERN
from harvest.media.safe import EXTENSIONS
from harvest.records import SubtitleFile, VideoRef, clean
from harvest.subtitles.cue import MAX_BYTES
from harvest.subtitles.sidecars import sidecars

logger = logging.getLogger(__name__)

MAX_DEPTH = 3  # a channel holds tabs, a tab holds playlists, a playlist holds videos
MAX_LIST_BYTES = 256 << 20

DigestFile = Callable[[Path], str]
"""The SHA-256 of a file in hex; the ledger remembers those of files that have not changed."""


class SourceConfig(Config):
    """Where videos may come from."""

    allow_private: bool = False  # connections to loopback and private addresses
    max_videos: int = Field(default=0, ge=0)  # stop after so many videos; 0: all


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFailure:
    """A line, or an entry of a playlist, that leads to no video."""

    id: str
    line: str
    reason: Reason
    message: str


def expand(named: str, config: SourceConfig, digest_file: DigestFile) -> Iterator[VideoRef | SourceFailure]:
    """The videos that `named` stands for: a list of lines, a folder, a media file or a URL.

    Raises RequestError if there is nothing of that name, or nothing in it.
    """
    seen: set[str] = set()
    for line, folder in _lines(named):
        for found in _expand_line(line, folder, config, digest_file):
            if found.id not in seen:
                seen.add(found.id)
                yield found
                if config.max_videos and len(seen) >= config.max_videos:
                    return
    if not seen:
        raise RequestError(f"{named} names no video: put one URL, file or folder on each line.")


def link_id(url: str) -> str:
    """The id of a video known by nothing but the link to its file."""
    return "link-" + hashlib.sha256(url.encode(errors="surrogateescape")).hexdigest()[:16]


def _lines(named: str) -> Iterator[tuple[str, Path]]:
    """Each line with the folder to which a relative path in it refers."""
    path = Path(named)
    if ytdlp.is_url(named) or path.is_dir() or (path.is_file() and path.suffix.lower() in EXTENSIONS):
        yield named, Path()
    elif path.is_file():
        for line in _read_list(path):
            yield line, path.parent
    else:
        raise RequestError(f"There is no playlist {named}: give a list of URLs, a folder, a video file or a URL.")


def _read_list(path: Path) -> Iterator[str]:
    if path.stat().st_size > MAX_LIST_BYTES:
        raise RequestError(f"{path} is over {MAX_LIST_BYTES >> 20} MiB, which no list of videos is: split it.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"{path} is not a text file: a list has one URL, file or folder on each line.") from None
    for line in text.splitlines():
        content = re.split(r"(?:^|\s)#", line, maxsplit=1)[0]  # a "#" inside a URL is a part of it
        content = content.strip("\u200b\u2060\ufeff\x00 \t\r\n\xa0")
        if content:
            yield content


def _expand_line(
    line: str, folder: Path, config: SourceConfig, digest_file: DigestFile
) -> Iterator[VideoRef | SourceFailure]:
    """One odd line, or a bug of one extractor, must not end the run: here any error becomes a SourceFailure."""
    try:
        if ytdlp.is_url(line):
            yield from _expand_url(line, title="", config=config, depth=0)
        else:
            yield from _expand_path(folder, line, digest_file)
    except RequestError:
        raise
    except Exception as error:
        yield _failure(line, error)


def _failure(line: str, error: Exception) -> SourceFailure:
    identity = "source-" + hashlib.sha256(line.encode(errors="surrogateescape")).hexdigest()[:16]
    reason, message = Reason.FAILED, f"{type(error).__name__}: {error}"
    if isinstance(error, StageError):
        reason, message = error.reason, str(error)
    else:
        logger.debug("No video could be found by %r", line, exc_info=error)
    return SourceFailure(id=identity, line=clean(line), reason=reason, message=clean(message))


def _expand_path(folder: Path, line: str, digest_file: DigestFile) -> Iterator[VideoRef | SourceFailure]:
    for file in _files(folder, line):
        try:
            identity = f"file-{digest_file(file)[:16]}"
        except OSError as error:
            message = f"The file {file} cannot be read ({error.strerror}): see to its permissions, or leave it out."
            yield _failure(str(file), StageError(Reason.FAILED, message))
        else:
            yield VideoRef(
                id=identity,
                url=f"file:{clean(file.name)}",
                path=str(file.resolve()),
                title=clean(file.stem),
                subtitles=tuple(_subtitles_beside(file, digest_file)),
            )


def _subtitles_beside(media: Path, digest_file: DigestFile) -> Iterator[SubtitleFile]:
    """The readable ones, up to a size no subtitles have."""
    for path, language in sidecars(media):
        with contextlib.suppress(OSError):
            if path.stat().st_size <= MAX_BYTES:
                yield SubtitleFile(file=str(path.resolve()), language=language, digest=digest_file(path)[:16])
            else:
                logger.warning("%s is over %d MiB, which no subtitles are: it is not read.", path, MAX_BYTES >> 20)


def _files(folder: Path, line: str) -> list[Path]:
    """The media files that a line without a URL names. Raises StageError if there are none."""
    try:
        path = folder / Path(line).expanduser()
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix.lower() in EXTENSIONS and file.is_file())
            if not files:
                raise StageError(Reason.GONE, f"The folder {path} holds no video files.")
            return files
        if path.is_file():
            return [path]
    except (ValueError, RuntimeError):
        pass  # a NUL in the name, nobody's home folder: there is no such file
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise StageError(Reason.FAILED, f"{line} cannot be looked at ({error.strerror}).") from None
    raise StageError(Reason.GONE, f"{line!r:.200} is neither a URL nor an existing file or folder.")


def _expand_url(url: str, *, title: str, config: SourceConfig, depth: int) -> Iterator[VideoRef | SourceFailure]:
    if _is_media_link(url):
        yield VideoRef(id=link_id(url), url=url, title=title)
        return
    known = ytdlp.single_video(url)
    if known is not None:
        yield _ref(known, title)
        return
    if depth == MAX_DEPTH:
        raise StageError(Reason.UNSUPPORTED, f"{url} is a list in a list in a list: name its parts directly.")
    yield from _expand_listing(url, title=title, config=config, depth=depth)


def _is_media_link(url: str) -> bool:
    try:
        path = urlsplit(url).path
    except ValueError as error:
        raise StageError(Reason.UNSUPPORTED, f"{url} is not a web address ({error}).") from None
    return Path(unquote(path)).suffix.lower() in EXTENSIONS


def _expand_listing(url: str, *, title: str, config: SourceConfig, depth: int) -> Iterator[VideoRef | SourceFailure]:
    empty = True
    for entry in ytdlp.entries(url, allow_private=config.allow_private):
        empty = False
        if entry.url == url:
            yield _ref(entry, title)  # the page is itself a video
            continue
        try:
            yield from _expand_url(entry.url, title=entry.title or title, config=config, depth=depth + 1)
        except RequestError:
            raise
        except Exception as error:  # as for a line
            yield _failure(entry.url, error)
    if empty:
        raise StageError(Reason.GONE, f"{url} is a list that holds no video.")


def _ref(found: ytdlp.Found, title: str) -> VideoRef:
    """Names a folder by the site and the site's own id; by a hash of the link where that id is none or no name.

    The ids of yt-dlp's "generic" are the last parts of links: many streams are called "index".
    """
    name = f"{found.site.lower()}-{found.id}"
    own = found.id and found.site.lower() not in ("", "generic") and ID_PATTERN.fullmatch(name)
    return VideoRef(id=name if own else link_id(found.url), url=found.url, title=found.title or title)
