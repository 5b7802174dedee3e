"""A film as planned, its file, and the truth about it.

    Film(shots, lines, ...) -> write_film(path, film)      the same bytes every time
                            -> film.cuts, film.words, film.shown(time)

Times are seconds on the film's clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from itertools import accumulate
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from benchmarks.truth.scenery import SIZE, Picture
from benchmarks.truth.voices import RATE_HZ, Samples, SpokenWord, Utterance
from tests.makers import Cut

Motion = Literal["still", "pan", "zoom", "shake", "busy"]
Entrance = Literal["cut", "dissolve", "fade"]  # how a shot takes over; a fade goes through black

TICKS = 12  # of the clock, an ordinary frame
GRAINS = 16  # frames of a camera's noise
PANORAMA = 0.3  # share of the frame's width that a camera must have moved for the view to be another one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """What the camera shows from one cut to the next."""

    picture: Picture  # a canvas larger than the frame, or black
    view: int  # what is shown, the same number where it is shown again; negative: nothing worth a picture
    seconds: float
    entrance: Entrance = "cut"
    transition: float = 0.8  # seconds, half of them on either side of the cut
    motion: Motion = "still"
    flashes: tuple[float, ...] = ()  # seconds from its start, of a photographer's flash


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """Something that is said."""

    utterance: Utterance
    start: float
    about: int  # the view it tells of; -1 for none


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueWord:
    """A word that was said."""

    text: str
    start: float  # nan where only the sentence's times are known
    end: float
    about: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Film:
    """All that is in a film."""

    name: str
    shots: tuple[Shot, ...]
    lines: tuple[Line, ...] = ()
    background: Samples | None = None  # music or noise, at its loudness
    bars: float = 0.0  # share of the height that is black at top and bottom together
    fps: int = 25
    variable_rate: bool = False
    codec: Literal["h264", "vp9"] = "h264"
    language: str = "en"
    seed: int = 0

    @cached_property
    def starts(self) -> tuple[float, ...]:
        """Of the shots, and the end of the last."""
        whole = (round(shot.seconds * self.fps) / self.fps for shot in self.shots)
        return tuple(accumulate(whole, initial=0.0))

    @property
    def seconds(self) -> float:
        return self.starts[-1]

    @property
    def cuts(self) -> tuple[Cut, ...]:
        return tuple(
            Cut(time=start, entrance=shot.entrance)
            for start, shot in zip(self.starts[1:], self.shots[1:], strict=False)
        )

    @property
    def words(self) -> tuple[TrueWord, ...]:
        return tuple(_placed(word, line) for line in self.lines for word in line.utterance.words)

    def shot_at(self, time: float) -> int:
        return int(np.clip(np.searchsorted(self.starts, time, "right") - 1, 0, len(self.shots) - 1))

    def shown(self, time: float) -> tuple[int, int]:
        """What is seen then: the view, and how far the camera has moved over it, in steps that make another picture.

        (-1, 0) where nothing is seen clearly: in black, in a flash, or half-way from one shot to the next.
        """
        number = self.shot_at(time)
        shot, since = self.shots[number], time - self.starts[number]
        if self.weight(number, time) < 0.85 or any(abs(since - flash) < 0.13 for flash in shot.flashes):
            return -1, 0
        moved = _camera(shot, since / shot.seconds)[0] * (1 if shot.motion == "pan" else 0)
        return shot.view, int(moved / (PANORAMA * SIZE[0]))

    def weight(self, number: int, time: float) -> float:
        """How much of the picture at `time` is shot `number`'s: from 0.5 in the middle of a dissolve (0 of a fade)."""
        here, left = self.shots[number], self.starts[number + 1] - time
        reach, share = here.transition / 2, 1.0
        if number and here.entrance != "cut":
            share = min(share, _risen((time - self.starts[number]) / reach, here.entrance))
        if number + 1 < len(self.shots) and (after := self.shots[number + 1]).entrance != "cut":
            share = min(share, _risen(left / (after.transition / 2), after.entrance))
        return share


def write_film(path: Path, film: Film) -> None:
    """Encode the film into the file `path`, on one thread."""
    with av.open(str(path), "w", format="mp4" if film.codec == "h264" else "webm") as output:
        video, audio = _video_stream(output, film), _audio_stream(output, film)
        sound, written = _sound(film), 0
        for tick, picture in _pictures(film):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = tick, Fraction(1, film.fps * TICKS)
            output.mux(video.encode(frame))
            until = round(tick / (film.fps * TICKS) * RATE_HZ)
            if until - written > RATE_HZ:  # side by side in the file
                output.mux(audio.encode(_audio_frame(sound, written, until)))
                written = until
        output.mux(video.encode(None))
        output.mux(audio.encode(_audio_frame(sound, written, len(sound))))
        output.mux(audio.encode(None))


def _placed(word: SpokenWord, line: Line) -> TrueWord:
    return TrueWord(text=word.text, start=line.start + word.start, end=line.start + word.end, about=line.about)


def _risen(share: float, entrance: Entrance) -> float:
    low = 0.5 if entrance == "dissolve" else 0.0
    return low + (1 - low) * min(1.0, max(0.0, share))


def _pictures(film: Film) -> Iterator[tuple[int, Picture]]:
    random = np.random.default_rng([film.seed, 31])
    tick, end = 0, round(film.seconds * film.fps * TICKS)
    while tick < end:
        time = tick / (film.fps * TICKS)
        yield tick, _barred(_seen(film, time, random), film.bars)
        tick += int(random.integers(TICKS // 2, 2 * TICKS + 1)) if film.variable_rate else TICKS


def _seen(film: Film, time: float, random: np.random.Generator) -> Picture:
    number = film.shot_at(time)
    shot, since = film.shots[number], time - film.starts[number]
    here = _taken(shot, since, random)
    weight = film.weight(number, time)
    if weight < 1.0:
        other = _other(film, number, time, random)
        here = cv2.addWeighted(here, weight, other, 1 - weight, 0).astype(np.uint8)
    if any(0 <= since - flash < 2 / film.fps for flash in shot.flashes):
        here = np.clip(here.astype(np.int16) + 170, 0, 255).astype(np.uint8)
    return here


def _other(film: Film, number: int, time: float, random: np.random.Generator) -> Picture:
    """What the shot is mixed with: the one before or after it, or black."""
    after = time - film.starts[number] > film.shots[number].seconds / 2
    entering = film.shots[number + 1] if after else film.shots[number]
    if entering.entrance == "fade":
        return np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    other = film.shots[number + 1 if after else number - 1]
    return _taken(other, 0.0 if after else other.seconds, random)


def _taken(shot: Shot, since: float, random: np.random.Generator) -> Picture:
    """The part of the canvas that the camera sees."""
    left, top, scale = _camera(shot, min(1.0, since / shot.seconds))
    if shot.motion == "shake":
        left, top = left + random.normal(0, 3), top + random.normal(0, 3)
    width, height = SIZE[0] / scale, SIZE[1] / scale
    warp = np.array([[SIZE[0] / width, 0, -left * SIZE[0] / width], [0, SIZE[1] / height, -top * SIZE[1] / height]])
    taken = cv2.warpAffine(shot.picture, warp, SIZE, flags=cv2.INTER_AREA)
    if shot.motion == "busy":  # somebody moves before the scene
        across = SIZE[0] * (0.5 + 0.3 * np.sin(2 * np.pi * since / 3.1))
        nod = SIZE[1] * (0.62 + 0.05 * np.sin(2 * np.pi * since / 0.9))
        cv2.ellipse(taken, (int(across), int(nod)), (55, 80), 0, 0, 360, (190, 140, 110), -1, cv2.LINE_AA)
        cv2.ellipse(taken, (int(across), SIZE[1]), (110, 90), 0, 0, 360, (60, 70, 120), -1, cv2.LINE_AA)
    noisy: Picture = cv2.add(taken, _grain()[int(random.integers(GRAINS))])
    return noisy


@cache
def _grain() -> npt.NDArray[np.uint8]:
    """Of a few frames, to choose from."""
    return np.random.default_rng(32).integers(0, 5, (GRAINS, SIZE[1], SIZE[0], 3), np.uint8)


def _camera(shot: Shot, share: float) -> tuple[float, float, float]:
    """Left, top (pixels of the canvas) and scale, after this share of the shot."""
    free = shot.picture.shape[1] - SIZE[0]
    middle = (free / 2, (shot.picture.shape[0] - SIZE[1]) / 2)
    if shot.motion == "pan":
        return share * free, middle[1], 1.0
    if shot.motion == "zoom":
        scale = 1.0 + 0.35 * share
        return middle[0] + SIZE[0] * (1 - 1 / scale) / 2, middle[1] + SIZE[1] * (1 - 1 / scale) / 2, scale
    return (*middle, 1.0)


def _barred(picture: Picture, bars: float) -> Picture:
    if not bars:
        return picture
    height = round(SIZE[1] * bars / 2)
    picture[:height] = 0
    picture[-height:] = 0
    return picture


def _sound(film: Film) -> Samples:
    sound = np.zeros(round(film.seconds * RATE_HZ), np.float32)
    for line in film.lines:
        first = round(line.start * RATE_HZ)
        spoken = line.utterance.samples[: len(sound) - first]
        sound[first : first + len(spoken)] += 0.7 * spoken / np.abs(spoken).max()
    if film.background is not None:
        sound += np.resize(film.background, len(sound))
    return np.clip(sound, -1, 1)


def _video_stream(output: OutputContainer, film: Film) -> VideoStream:
    options = {"preset": "veryfast", "crf": "26", "threads": "1", "x264-params": "keyint=150"}
    if film.codec == "vp9":
        options = {"deadline": "realtime", "cpu-used": "8", "crf": "38", "b": "0", "threads": "1"}
    stream = output.add_stream("libx264" if film.codec == "h264" else "libvpx-vp9", rate=film.fps, options=options)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = SIZE
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, film.fps * TICKS)
    return stream


def _audio_stream(output: OutputContainer, film: Film) -> AudioStream:
    name, rate_hz = ("aac", RATE_HZ) if film.codec == "h264" else ("libopus", 24_000)
    stream = output.add_stream(name, rate=rate_hz, layout="mono", bit_rate=64_000)
    assert isinstance(stream, AudioStream)
    return stream


def _audio_frame(sound: Samples, first: int, last: int) -> av.AudioFrame:
    samples = (sound[first:last] * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate = RATE_HZ
    frame.pts, frame.time_base = first, Fraction(1, RATE_HZ)
    return frame
