"""Scenes in, a narrated video file out, with the truth about it: where it cuts and what is said when.

    [Scene(picture, speech, entrance), ...] -> write_video(path, scenes, VideoStyle()) -> Truth

Everything is encoded on one thread, so the same scenes and style give the same bytes.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from tests.makers.drawing import Picture
from tests.makers.speech import RATE_HZ
from tests.makers.timeline import TICKS, Scene, Timeline, TrueScene, Truth, VideoStyle, lay_out

_CONTAINERS = {"h264": "mp4", "vp9": "webm"}
_VIDEO_OPTIONS = {
    "h264": {"preset": "ultrafast", "crf": "21", "threads": "1", "x264-params": "keyint=100"},
    "vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "35", "b": "0", "threads": "1"},
}


def write_video(path: Path, scenes: Sequence[Scene], style: VideoStyle | None = None) -> Truth:
    """Encode `scenes` into the file `path` and tell what is in it."""
    style = style or VideoStyle()
    timeline = lay_out(scenes, style)
    with av.open(str(path), "w", format=_CONTAINERS[style.codec]) as output:
        video = _video_stream(output, scenes[0].picture, style)
        audio = _audio_stream(output, style)
        for index, scene in enumerate(scenes):  # scene by scene: sound and pictures lie side by side in the file
            for frame in _frames(index, scenes, timeline, style):
                output.mux(video.encode(frame))
            if audio is not None:
                output.mux(audio.encode(_sound(scene, timeline.truth.scenes[index])))
        output.mux(video.encode(None))
        if audio is not None:
            output.mux(audio.encode(None))
    return timeline.truth


def _video_stream(output: OutputContainer, picture: Picture, style: VideoStyle) -> VideoStream:
    name = "libx264" if style.codec == "h264" else "libvpx-vp9"
    stream = output.add_stream(name, rate=style.fps, options=_VIDEO_OPTIONS[style.codec])
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, style.fps * TICKS)
    return stream


def _audio_stream(output: OutputContainer, style: VideoStyle) -> AudioStream | None:
    if style.audio == "none":
        return None
    name, rate_hz = ("aac", RATE_HZ) if style.codec == "h264" else ("libopus", 24_000)
    options = {"aac_coder": "fast"} if style.codec == "h264" else {}  # a quarter of the time, as good to hear
    stream = output.add_stream(name, rate=rate_hz, options=options, layout="mono", bit_rate=48_000)
    assert isinstance(stream, AudioStream)
    return stream


def _frames(index: int, scenes: Sequence[Scene], timeline: Timeline, style: VideoStyle) -> Iterator[av.VideoFrame]:
    """The frames of scene `index`; a still picture is converted once and shown as often as needed."""
    still = _encodable(scenes[index].picture)
    clock = Fraction(1, style.fps * TICKS)
    for tick in timeline.frame_ticks[index]:
        mixed = _mixed(index, scenes, timeline.truth, float(tick * clock), style.transition / 2)
        frame = still if mixed is None else _encodable(mixed)
        frame.pts = tick
        frame.time_base = clock
        yield frame


def _encodable(picture: Picture) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")


def _mixed(index: int, scenes: Sequence[Scene], truth: Truth, time: float, reach: float) -> Picture | None:
    """What is shown within `reach` seconds of a dissolve or fade; None where scene `index` stands alone."""
    here, span = scenes[index], truth.scenes[index]
    since, left = time - span.start, span.end - time
    if index > 0 and here.entrance != "cut" and since < reach:
        share = since / reach
        other = scenes[index - 1].picture if here.entrance == "dissolve" else None
    elif index + 1 < len(scenes) and scenes[index + 1].entrance != "cut" and left < reach:
        share = left / reach
        other = scenes[index + 1].picture if scenes[index + 1].entrance == "dissolve" else None
    else:
        return None
    # At the cut a dissolve shows half of either picture, a fade nothing at all.
    weight = share if other is None else 0.5 + share / 2
    behind = np.zeros_like(here.picture) if other is None else other
    mixed: Picture = np.rint(weight * here.picture + (1 - weight) * behind).astype(np.uint8)
    return mixed


def _sound(scene: Scene, span: TrueScene) -> av.AudioFrame:
    first, last = round(span.start * RATE_HZ), round(span.end * RATE_HZ)
    samples = np.zeros(last - first, np.int16)
    if scene.speech is not None and span.speech_start >= 0:
        position = round(span.speech_start * RATE_HZ) - first
        samples[position : position + len(scene.speech.samples)] = scene.speech.samples
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate = RATE_HZ
    frame.pts = first
    frame.time_base = Fraction(1, RATE_HZ)
    return frame
