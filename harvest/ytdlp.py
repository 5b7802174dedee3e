"""The one place that calls yt-dlp, through its API and an allow-list of parameters.

No user configuration, plugins, cookies or `file:` addresses. yt-dlp may start ffmpeg to merge what it fetched, and a
JavaScript runtime on YouTube's scripts; unless private addresses are allowed, no program is given an address, and
no proxy is asked, as either would be out of the guard's sight.
What goes wrong comes out as StageError with a typed reason; only bugs of an extractor come out as they are.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvest.errors import Reason, StageError
from harvest.media.audio import ffmpeg_executable
from harvest.network import public_addresses_only
from harvest.records import clean
from harvest.ytdlp_errors import stage_error
from harvest.ytdlp_subtitles import FetchedSubtitles, fetch_subtitles, stop_large_subtitles

if TYPE_CHECKING:
    import yt_dlp

logger = logging.getLogger(__name__)

BASE_PARAMETERS: Mapping[str, Any] = {
    "quiet": True,
    "noprogress": True,
    "no_color": True,
    "cachedir": False,
    "noplaylist": True,
    "retries": 3,
    "fragment_retries": 3,
    "extractor_retries": 2,
    "socket_timeout": 20,
    "enable_file_urls": False,
    "fixup": "never",
}


NO_PLUGINS: Mapping[str, str] = {"YTDLP_NO_PLUGINS": "1"}  # else yt-dlp imports every plugin it finds
FOLDER_VARIABLE = "HARVEST_DOWNLOAD_FOLDER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A video, or a further list, that a page leads to."""

    site: str  # yt-dlp's name of the extractor
    id: str  # the site's own id of the video, "" if it has none
    url: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A downloaded file and the facts of its page that we keep. Unknown facts are ""."""

    path: Path
    url: str
    extractor: str
    title: str
    channel: str
    license: str
    upload_date: str  # YYYY-MM-DD
    language: str
    subtitles: tuple[FetchedSubtitles, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What may be fetched."""

    format: str  # yt-dlp's format selection
    max_bytes: int
    max_duration_s: float
    allow_private: bool
    subtitles: bool = True  # the uploader's


def is_url(text: str) -> bool:
    """Whether `text` begins as a web address does. Only such lines are taken for one; others name local files."""
    return re.match(r"https?://", text, re.IGNORECASE) is not None


def single_video(url: str) -> Found | None:
    """The video that `url` names by its form alone, without asking the network; None if that takes a look."""
    with _environment(NO_PLUGINS):
        from yt_dlp.extractor import gen_extractor_classes

        extractor = next(found for found in gen_extractor_classes() if found.suitable(url))
    if getattr(extractor, "_RETURN_TYPE", None) != "video":
        return None
    return Found(site=extractor.ie_key(), id=extractor.get_temp_id(url) or "", url=url)


def entries(url: str, *, allow_private: bool) -> Iterator[Found]:
    """The entries of a playlist, channel or page, one level deep; `url` itself if the page is a single video."""
    with _session({}, allow_private=allow_private) as session:
        result = session.extract_info(url, download=False, process=False) or {}
        kind = result.get("_type", "video")
        if kind in ("url", "url_transparent"):
            yield _found(result, url)
        elif kind == "video":
            yield Found(
                site=str(result.get("extractor_key", "")), id=_text(result, "id"), url=url, title=_text(result, "title")
            )
        else:
            for entry in result.get("entries") or ():
                if entry:  # None stands for one that is not there any more
                    yield _found(entry, url)


def fetch(url: str, folder: Path, limits: FetchLimits) -> Fetched:
    """Download one video into `folder`. Raises StageError."""
    parameters = {
        "format": limits.format,
        "outtmpl": {"default": "media.%(ext)s"},
        # In a folder's name yt-dlp would replace "$" and "~"; what a variable stands for it takes as it is.
        "paths": {"home": f"${FOLDER_VARIABLE}"},
        "match_filter": _refuse_unwanted(limits),
        "progress_hooks": [stop_large_subtitles, _stop_when_too_large(url, limits)],
        "overwrites": True,
        "ffmpeg_location": ffmpeg_executable(),
    }
    variables = _environment({FOLDER_VARIABLE: str(folder.absolute())})
    with variables, _session(parameters, allow_private=limits.allow_private) as session:
        info = _only_video(session.extract_info(url, download=True) or {}, url)
        subtitles = fetch_subtitles(session, info, folder) if limits.subtitles else []
    files = sorted(path for path in folder.iterdir() if path.stem == "media" and not path.name.endswith(".part"))
    if not files:
        raise StageError(Reason.FAILED, f"yt-dlp fetched no file from {url} and gives no cause.")
    return Fetched(
        path=files[0],
        url=_text(info, "webpage_url") or url,
        extractor=_text(info, "extractor_key").lower(),
        title=_text(info, "title"),
        channel=_text(info, "channel") or _text(info, "uploader"),
        license=_text(info, "license"),
        upload_date=re.sub(r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3", _text(info, "upload_date")),
        language=_text(info, "language"),
        subtitles=tuple(subtitles),
    )


def _only_video(info: Mapping[str, Any], url: str) -> Mapping[str, Any]:
    if info.get("_type") not in ("playlist", "multi_video"):
        return info
    videos = [entry for entry in info.get("entries") or () if entry]
    if len(videos) != 1:
        raise StageError(Reason.UNSUPPORTED, f"{url} holds {len(videos)} videos where one was expected.")
    only: Mapping[str, Any] = videos[0]
    return only


def _found(entry: Mapping[str, Any], page: str) -> Found:
    """An entry of a list; one that carries the media itself is known by the link to it."""
    formats = entry.get("formats") or [{}]
    url = entry.get("url") or formats[-1].get("url") or entry.get("webpage_url") or page
    site = entry.get("ie_key") or entry.get("extractor_key") or ""
    return Found(site=str(site), id=_text(entry, "id"), url=str(url), title=_text(entry, "title"))


def _text(info: Mapping[str, Any], name: str) -> str:
    value = info.get(name)
    return clean(value) if isinstance(value, str) else ""


def _refuse_unwanted(limits: FetchLimits) -> Any:
    """yt-dlp's `match_filter`: called when the facts are known and before anything is downloaded."""

    def refuse(info: Mapping[str, Any], *, incomplete: bool = False) -> None:
        if info.get("is_live"):
            raise StageError(Reason.LIVE, "The stream is live: it can be collected when it has ended.")
        duration = info.get("duration")
        if duration and duration > limits.max_duration_s and not incomplete:
            raise StageError(
                Reason.TOO_LONG,
                f"The video lasts {duration:.0f} s, over download.max_duration_s={limits.max_duration_s:.0f}.",
            )

    return refuse


def _stop_when_too_large(url: str, limits: FetchLimits) -> Callable[[Mapping[str, Any]], None]:
    """A `progress_hook`. yt-dlp's own `max_filesize` trusts the announced size, which fragments do not even have."""
    sizes: dict[str, int] = {}  # of each of the files to be merged

    def look(progress: Mapping[str, Any]) -> None:
        known = (progress.get("downloaded_bytes"), progress.get("total_bytes"))
        sizes[str(progress.get("filename"))] = max(size or 0 for size in known)
        if sum(sizes.values()) > limits.max_bytes:
            raise StageError(Reason.TOO_LARGE, f"{url} is larger than {limits.max_bytes >> 20} MiB (download.max_mib).")

    return look


@contextmanager
def _session(parameters: Mapping[str, Any], *, allow_private: bool) -> Iterator["yt_dlp.YoutubeDL"]:
    proxy = {} if allow_private else {"proxy": ""}  # "": none, whatever the environment says
    with _environment(NO_PLUGINS), public_addresses_only(enabled=not allow_private):
        import yt_dlp

        try:
            with yt_dlp.YoutubeDL({**BASE_PARAMETERS, **proxy, **parameters, "logger": _Quiet()}) as session:
                yield session
        except StageError:
            raise
        except (yt_dlp.utils.YoutubeDLError, OSError) as error:
            raise stage_error(error) from error


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets variables of the process for a while: for some things yt-dlp has no parameter."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Quiet:
    """yt-dlp's own messages, for --debug; what matters comes as an exception."""

    def debug(self, message: str) -> None:
        logger.debug("yt-dlp: %s", message)

    info = warning = error = debug
