"""Small real stages, for trying engines: they write records, fail, die and hang on demand.

What a video is to do is said by its title in ref.json.
"""

import os
import signal
import time
from typing import ClassVar

from harvest.errors import Reason, RequestError, StageError
from harvest.folder import VideoFolder
from harvest.records import Record, Scenes, Transcript, Video, VideoRef
from harvest.stages.base import Resource


class First:
    """VideoRef -> Video; misbehaves as the title says."""

    name: ClassVar[str] = "download"
    record: ClassVar[type[Record]] = Video
    after: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Resource] = "cpu"

    def __init__(self, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s

    def fingerprint(self, upstream: str) -> str:
        return f"first+{upstream}"

    def setup(self) -> None:
        """Nothing to load."""

    def run(self, folder: VideoFolder) -> Record:
        match folder.load(VideoRef).title:
            case "gone":
                raise StageError(Reason.GONE, "It is gone.")
            case "bug":
                raise ZeroDivisionError("a bug")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(3600)
        return Video(
            id=folder.video_id, url="", media="", extractor="", title="", channel="", license="", upload_date="",
            language="", retrieved_at="", duration=1.0, width=1, height=1,
        )  # fmt: skip


class Words:
    """Video -> Transcript."""

    name: ClassVar[str] = "transcribe"
    record: ClassVar[type[Record]] = Transcript
    after: ClassVar[tuple[str, ...]] = ("download",)
    needs: ClassVar[Resource] = "cpu"
    timeout_s: float = 60.0

    def fingerprint(self, upstream: str) -> str:
        return f"words+{upstream}"

    def setup(self) -> None:
        """Nothing to load."""

    def run(self, folder: VideoFolder) -> Record:
        folder.load(Video)
        if folder.load(VideoRef).title == "mute":
            raise StageError(Reason.NO_AUDIO, "Nobody can be heard.")
        return Transcript(language="en", model="", engine="", segments=())


class Pictures:
    """Video -> Scenes."""

    name: ClassVar[str] = "scenes"
    record: ClassVar[type[Record]] = Scenes
    after: ClassVar[tuple[str, ...]] = ("download",)
    needs: ClassVar[Resource] = "cpu"
    timeout_s: float = 60.0

    def fingerprint(self, upstream: str) -> str:
        return f"pictures+{upstream}"

    def setup(self) -> None:
        """Nothing to load."""

    def run(self, folder: VideoFolder) -> Record:
        folder.load(Video)
        return Scenes(detector="", scenes=())


class Both(Pictures):
    """Reads what two others wrote."""

    name: ClassVar[str] = "both"
    after: ClassVar[tuple[str, ...]] = ("transcribe", "scenes")


class Last(Pictures):
    """Comes after a stage that comes after two."""

    name: ClassVar[str] = "last"
    after: ClassVar[tuple[str, ...]] = ("both",)


class Unloadable(Words):
    """A stage whose model cannot be had."""

    def setup(self) -> None:
        raise RequestError("There is no model.")


class DiesAtSetup(Words):
    """A stage whose worker is killed before it can begin."""

    def setup(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
