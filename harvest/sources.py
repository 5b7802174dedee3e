"""From what a person names to the videos it stands for, each once.

    urls.txt | folder | file | URL -> lines -> VideoRef ... (or a SourceFailure for a line that leads nowhere)

A line may be a video's page, a playlist or channel (expanded without fetching its videos), a link to a media
file, or a local file or folder. This module does not know whether a video was collected before.
"""

import hashlib
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
from harvest.records import VideoRef, clean

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
    return "link-" + hashlib.sha256(url.encode()).hexdigest()[:16]


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
    try:
        if ytdlp.is_url(line):
            yield from _expand_url(line, title="", config=config, depth=0)
        else:
            yield from _expand_path(folder / Path(line).expanduser(), digest_file)
    except StageError as error:
        yield _failure(line, error)


def _failure(line: str, error: StageError) -> SourceFailure:
    identity = "source-" + hashlib.sha256(line.encode()).hexdigest()[:16]
    return SourceFailure(id=identity, line=line, reason=error.reason, message=str(error))


def _expand_path(path: Path, digest_file: DigestFile) -> Iterator[VideoRef]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in EXTENSIONS and file.is_file())
        if not files:
            raise StageError(Reason.GONE, f"The folder {path} holds no video files.")
    elif path.is_file():
        files = [path]
    else:
        raise StageError(Reason.GONE, f"{path} is neither a URL nor an existing file or folder.")
    for file in files:
        identity = f"file-{digest_file(file)[:16]}"
        yield VideoRef(id=identity, url=f"file:{clean(file.name)}", path=str(file.resolve()), title=clean(file.stem))


def _expand_url(url: str, *, title: str, config: SourceConfig, depth: int) -> Iterator[VideoRef | SourceFailure]:
    if Path(unquote(urlsplit(url).path)).suffix.lower() in EXTENSIONS:
        yield VideoRef(id=link_id(url), url=url, title=title)
        return
    known = ytdlp.single_video(url)
    if known is not None:
        yield _ref(known, title)
        return
    if depth == MAX_DEPTH:
        raise StageError(Reason.UNSUPPORTED, f"{url} is a list in a list in a list: name its parts directly.")
    yield from _expand_listing(url, title=title, config=config, depth=depth)


def _expand_listing(url: str, *, title: str, config: SourceConfig, depth: int) -> Iterator[VideoRef | SourceFailure]:
    for entry in ytdlp.entries(url, allow_private=config.allow_private):
        if entry.url == url:
            yield _ref(entry, title)  # the page is itself a video
            continue
        try:
            yield from _expand_url(entry.url, title=entry.title or title, config=config, depth=depth + 1)
        except StageError as error:
            yield _failure(entry.url, error)


def _ref(found: ytdlp.Found, title: str) -> VideoRef:
    """Names a folder by the site and the site's own id; by a hash where that id cannot be a name."""
    name = f"{found.site.lower()}-{found.id}"
    identity = name if found.id and ID_PATTERN.fullmatch(name) else link_id(found.url)
    return VideoRef(id=identity, url=found.url, title=found.title or title)
