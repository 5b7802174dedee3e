"""What is said, word by word, with the recogniser's own scores; spelled by subtitles where people wrote such."""

from pathlib import Path
from typing import ClassVar

from harvest.asr import make_transcriber
from harvest.asr.arithmetic import settle
from harvest.asr.base import TranscribeConfig, Transcriber
from harvest.asr.models import identity
from harvest.errors import Reason, StageError
from harvest.folder import VideoFolder
from harvest.media.audio import read_audio
from harvest.records import Record, Transcript, Video
from harvest.stages.base import Resource, fingerprint
from harvest.stages.download import media_path
from harvest.subtitles import corrected, tracks_of, written
from harvest.subtitles.languages import two_letters

NOT_SHAPING = frozenset({"timeout_s", "threads", "device"})
"""Settings that change where and how fast the words are found, not which. The device may settle the arithmetic."""


class Transcribe:
    """Video -> Transcript."""

    name: ClassVar[str] = "transcribe"
    record: ClassVar[type[Record]] = Transcript
    after: ClassVar[tuple[str, ...]] = ("download",)
    version: ClassVar[int] = 2

    def __init__(self, config: TranscribeConfig) -> None:
        self._config = config
        self._transcriber: Transcriber | None = None

    @property
    def needs(self) -> Resource:
        return "cpu" if self._config.device == "cpu" else "gpu"

    @property
    def timeout_s(self) -> float:
        return self._config.timeout_s

    def fingerprint(self, upstream: str) -> str:
        compute_type, model = settle(self._config).compute_type, identity(self._config.model)
        settled = self._config.model_copy(update={"compute_type": compute_type, "model": model})
        return fingerprint(self.version, settled, upstream, ignore=NOT_SHAPING)

    def setup(self) -> None:
        if self._config.source != "subtitles":
            self._transcriber = make_transcriber(self._config)

    def run(self, folder: VideoFolder) -> Transcript:
        video = folder.load(Video)
        media = media_path(folder, video)
        if self._config.source == "subtitles":
            return written(tracks_of(video, media), self._config.language or two_letters(video.language))
        transcript = self._heard(media)
        if not any(segment.words for segment in transcript.segments):
            raise StageError(Reason.NO_SPEECH, "Nobody speaks, or not so that a word could be made out.")
        if self._config.source == "asr":
            return transcript
        return corrected(transcript, tracks_of(video, media), self._config.min_agreement)

    def _heard(self, media: Path) -> Transcript:
        assert self._transcriber is not None  # setup comes first
        (transcript,) = self._transcriber.transcribe([read_audio(media)])
        return transcript
