"""What a made video consists of, and when each part of it happens.

Scenes and a style go in; frame times and the truth (cuts, spans, sentences) come out. Nothing is encoded here.
Times are seconds on the video's clock; ticks are that clock's smallest step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tests.makers.drawing import Picture
from tests.makers.speech import Speech, SpokenPhrase

Entrance = Literal["cut", "dissolve", "fade"]  # how a scene takes over from the one before; a fade goes through black

TICKS = 12  # an ordinary frame's length, fine enough for variable rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    picture: Picture
    speech: Speech | None = None
    entrance: Entrance = "cut"
    margin: float = 0.4  # seconds of silence before the speech, and at least as many after it
    seconds: float | None = None  # None: as long as the speech and its margins


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoStyle:
    fps: int = 10
    codec: Literal["h264", "vp9"] = "h264"  # h264 and AAC in MP4, vp9 and Opus in WebM
    audio: Literal["speech", "silent", "none"] = "speech"
    variable_rate: bool = False  # frames last between half and twice 1/fps, by the seed
    transition: float = 0.6  # seconds of a dissolve or fade, half of them on either side of the cut
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    time: float  # of the first frame on the far side; a dissolve or fade is half done by then
    entrance: Entrance


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueScene:
    start: float
    end: float
    sentence: str  # "" where no words are said
    phrases: tuple[SpokenPhrase, ...]
    speech_start: float  # -1.0, as speech_end, where there is no sound
    speech_end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    scenes: tuple[TrueScene, ...]
    cuts: tuple[Cut, ...]

    @property
    def seconds(self) -> float:
        return self.scenes[-1].end

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(word for scene in self.scenes for word in scene.sentence.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    frame_ticks: tuple[tuple[int, ...], ...]  # scene by scene, when each of its frames is shown
    truth: Truth


def lay_out(scenes: Sequence[Scene], style: VideoStyle) -> Timeline:
    """Decide when every frame of `scenes` is shown; a scene lasts whole frames."""
    random = np.random.default_rng([style.seed, 4])
    frame_ticks: list[tuple[int, ...]] = []
    true_scenes: list[TrueScene] = []
    tick = 0
    for scene in scenes:
        start = tick
        ticks: list[int] = []
        while (tick - start) / (style.fps * TICKS) < _seconds_of(scene) - 1e-6:
            ticks.append(tick)
            tick += int(random.integers(TICKS // 2, 2 * TICKS + 1)) if style.variable_rate else TICKS
        frame_ticks.append(tuple(ticks))
        true_scenes.append(_true_scene(scene, start / (style.fps * TICKS), tick / (style.fps * TICKS), style))
    cuts = tuple(
        Cut(time=true.start, entrance=scene.entrance) for scene, true in zip(scenes[1:], true_scenes[1:], strict=True)
    )
    return Timeline(frame_ticks=tuple(frame_ticks), truth=Truth(scenes=tuple(true_scenes), cuts=cuts))


def _seconds_of(scene: Scene) -> float:
    if scene.seconds is not None:
        return scene.seconds
    assert scene.speech is not None, "a scene without speech must say how long it lasts"
    return scene.speech.seconds + 2 * scene.margin


def _true_scene(scene: Scene, start: float, end: float, style: VideoStyle) -> TrueScene:
    if scene.speech is None or style.audio != "speech":
        return TrueScene(start=start, end=end, sentence="", phrases=(), speech_start=-1.0, speech_end=-1.0)
    shift = start + scene.margin
    speech_end = shift + scene.speech.seconds
    assert speech_end <= end, f"the speech of {scene.speech.seconds:.2f} s is longer than its scene"
    phrases = tuple(
        SpokenPhrase(text=phrase.text, start=phrase.start + shift, end=phrase.end + shift)
        for phrase in scene.speech.phrases
    )
    return TrueScene(
        start=start,
        end=end,
        sentence=scene.speech.sentence,
        phrases=phrases,
        speech_start=shift,
        speech_end=speech_end,
    )
