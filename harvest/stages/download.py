"""Fetching the media and keeping what its source says about it. Local files are read in place."""

import datetime
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from configs import Config
from harvest import ytdlp
from harvest.errors import Reason, StageError
from harvest.folder import VideoFolder
from harvest.media.safe import EXTENSIONS, MediaFacts, probe
from harvest.records import Record, SubtitleFile, Video, VideoRef, clean
from harvest.stages.base import Resource, fingerprint
from harvest.ytdlp_subtitles import STEM, FetchedSubtitles


class DownloadConfig(Config):
    """What to fetch. Key frames and speech need little: the smallest format that serves is the default."""

    max_height: int = Field(default=360, ge=16)  # pixels; larger formats only where there is no smaller one
    format: str = ""  # yt-dlp's own format selection, instead of the one made from max_height
    subtitles: bool = True  # fetch the uploader's, too: never those a site made
    max_mib: int = Field(default=2048, ge=1)
    max_duration_s: float = Field(default=4 * 3600, gt=0)
    timeout_s: float = Field(default=3600, gt=0)

    @property
    def selection(self) -> str:
        """yt-dlp's format selection: one file with sound and picture, else the parts of one to be merged."""
        fits = f"[height<=?{self.max_height}]"
        return self.format or f"b{fits}/bv*{fits}+ba/wv*+ba/w"


REMOTE_IGNORES = frozenset({"timeout_s", "max_mib", "max_duration_s"})
LOCAL_IGNORES = REMOTE_IGNORES | {"max_height", "format", "subtitles"}  # a local file has the format it has


class Download:
    """VideoRef -> Video."""

    name: ClassVar[str] = "download"
    record: ClassVar[type[Record]] = Video
    after: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Resource] = "network"
    version: ClassVar[int] = 2

    def __init__(self, config: DownloadConfig, *, allow_private: bool) -> None:
        self._config = config
        self._allow_private = allow_private

    @property
    def timeout_s(self) -> float:
        return self._config.timeout_s

    def fingerprint(self, upstream: str) -> str:
        """The limits are not in it: a video that passed them once stays the same whatever they are later."""
        ignore = LOCAL_IGNORES if upstream.startswith("file-") else REMOTE_IGNORES
        return fingerprint(self.version, self._config, upstream, ignore=ignore)

    def setup(self) -> None:
        """Nothing to load."""

    def run(self, folder: VideoFolder) -> Video:
        ref = folder.load(VideoRef)
        return self._local(ref) if ref.path else self._remote(ref, folder)

    def _local(self, ref: VideoRef) -> Video:
        path = Path(ref.path)
        facts = self._checked(path)
        return Video(
            id=ref.id,
            url=ref.url,
            media=ref.path,
            extractor="file",
            title=ref.title,
            channel="",
            license="",
            upload_date="",
            language="",
            retrieved_at="",
            duration=facts.duration,
            width=facts.width,
            height=facts.height,
            subtitles=ref.subtitles,
        )

    def _remote(self, ref: VideoRef, folder: VideoFolder) -> Video:
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder.path) as temporary:
            fetched = ytdlp.fetch(ref.url, Path(temporary), self._limits())
            extension = fetched.path.suffix.lower()
            if extension not in EXTENSIONS:
                raise StageError(Reason.UNSUPPORTED, f"{ref.url} is a {extension or 'nameless'} file, not a video.")
            facts = self._checked(fetched.path)
            folder.discard(Video)
            media = fetched.path.replace(folder.path / f"media{extension}")
            subtitles = _kept_subtitles(fetched.subtitles, folder)
        return Video(
            id=ref.id,
            url=fetched.url,
            media=media.name,
            extractor=fetched.extractor,
            title=ref.title or fetched.title,
            channel=fetched.channel,
            license=fetched.license,
            upload_date=fetched.upload_date,
            language=fetched.language,
            retrieved_at=datetime.datetime.now(datetime.UTC).date().isoformat(),
            duration=facts.duration,
            width=facts.width,
            height=facts.height,
            subtitles=subtitles,
        )

    def _limits(self) -> ytdlp.FetchLimits:
        return ytdlp.FetchLimits(
            format=self._config.selection,
            max_bytes=self._config.max_mib << 20,
            max_duration_s=self._config.max_duration_s,
            allow_private=self._allow_private,
            subtitles=self._config.subtitles,
        )

    def _checked(self, path: Path) -> MediaFacts:
        facts = probe(path)
        limit = self._config.max_duration_s
        if facts.duration > limit:
            raise StageError(
                Reason.TOO_LONG, f"The video lasts {facts.duration:.0f} s, over download.max_duration_s={limit:.0f}."
            )
        return facts


def _kept_subtitles(fetched: Sequence[FetchedSubtitles], folder: VideoFolder) -> tuple[SubtitleFile, ...]:
    """Move what was fetched into the video's folder, in the place of what an earlier download left."""
    for path in folder.path.glob(f"{STEM}*"):
        path.unlink()
    kept = []
    for track in fetched:
        digest = ""
        if not track.problem:
            digest = hashlib.sha256(track.path.read_bytes()).hexdigest()[:16]
            track.path.replace(folder.path / track.path.name)
        kept.append(
            SubtitleFile(
                file=track.path.name, language=clean(track.language), digest=digest, problem=clean(track.problem)
            )
        )
    return tuple(kept)


def media_path(folder: VideoFolder, video: Video) -> Path:
    """Where the media of `video` lies: in its folder, or in place."""
    return folder.path / video.media  # an absolute path stays itself
