"""The sound of media files, on the clock of their pictures."""

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from harvest.asr.base import RATE_HZ, Audio
from harvest.errors import Reason, StageError
from harvest.media.audio import read_audio
from tests.makers import (
    Scene,
    VideoStyle,
    draw_title,
    sound,
    tone,
    write_empty,
    write_playlist,
    write_text,
    write_video,
)

MADE_HZ = 16_000


def write_wave(path: Path, *channels: np.typing.NDArray[np.int16]) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(MADE_HZ)
        file.writeframes(np.stack(channels, axis=1).tobytes())
    return path


def hum(seconds: float) -> np.typing.NDArray[np.int16]:
    samples: np.typing.NDArray[np.int16] = (8_000 * np.sin(np.arange(round(seconds * MADE_HZ)) * 0.2)).astype(np.int16)
    return samples


def write_streams(path: Path, delays: list[float]) -> Path:
    """A second of humming a stream, each beginning at its own time."""
    with av.open(str(path), "w") as output:
        streams = [output.add_stream("pcm_s16le", rate=MADE_HZ) for _ in delays]
        for stream, delay in zip(streams, delays, strict=True):
            mux_hum(output, stream, at=delay)
    return path


def write_cast(path: Path, *, delay: float, first_pts: float) -> Path:
    """A second of humming that begins after the pictures, whose own clock does not begin at 0."""
    with av.open(str(path), "w") as output:
        pictures, sounds = output.add_stream("mpeg2video", rate=25), output.add_stream("aac", rate=MADE_HZ)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        for number in range(50):
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts = round(first_pts * 25) + number
            output.mux(pictures.encode(picture))
        output.mux(pictures.encode(None))
        mux_hum(output, sounds, at=first_pts + delay)
    return path


def mux_hum(output: av.container.OutputContainer, stream: av.AudioStream, *, at: float) -> None:
    frame = av.AudioFrame.from_ndarray(hum(1.0)[None, :], format="s16", layout="mono")
    frame.sample_rate = MADE_HZ
    frame.pts = round(at * MADE_HZ)
    output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def loud_span(audio: Audio) -> tuple[float, float]:
    loud = np.flatnonzero(np.abs(audio.samples) > 0.05)
    return loud[0] / RATE_HZ, loud[-1] / RATE_HZ


def reason_for(path: Path) -> Reason:
    with pytest.raises(StageError) as caught:
        read_audio(path)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def test_stereo_becomes_mono_between_minus_one_and_one(tmp_path: Path) -> None:
    audio = read_audio(write_wave(tmp_path / "a.wav", hum(1.0), hum(1.0)))
    assert audio.samples.dtype == np.float32
    assert audio.duration_s == pytest.approx(1.0)
    assert np.abs(audio.samples).max() == pytest.approx(8_000 / 32_768, abs=0.01)


@pytest.mark.parametrize("codec", ["h264", "vp9"])
def test_sound_lies_where_the_pictures_are(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "video"
    picture = draw_title("Tone")
    scenes = [
        Scene(picture=picture, seconds=2.0),
        Scene(picture=picture, speech=sound(tone(1.0)), margin=0.5),
        Scene(picture=picture, seconds=1.0),
    ]
    write_video(path, scenes, VideoStyle(codec="h264" if codec == "h264" else "vp9"))
    audio = read_audio(path)
    assert loud_span(audio) == pytest.approx((2.5, 3.5), abs=0.05)
    assert audio.duration_s == pytest.approx(5.0, abs=0.1)


def test_sound_that_begins_late_is_preceded_by_silence(tmp_path: Path) -> None:
    audio = read_audio(write_streams(tmp_path / "late.mkv", [1.5, 0.0]))
    assert loud_span(audio) == pytest.approx((1.5, 2.5), abs=0.05)


def test_the_clock_begins_with_the_container(tmp_path: Path) -> None:
    audio = read_audio(write_cast(tmp_path / "cast.ts", delay=0.5, first_pts=100.0))
    assert loud_span(audio) == pytest.approx((0.5, 1.5), abs=0.1)


def test_of_several_streams_the_first_is_heard(tmp_path: Path) -> None:
    path = write_streams(tmp_path / "two.mkv", [0.0, 2.0])
    assert loud_span(read_audio(path)) == pytest.approx((0.0, 1.0), abs=0.05)


def test_a_video_without_a_sound_track_has_no_audio(mute: Path) -> None:
    assert reason_for(mute) is Reason.NO_AUDIO


def test_what_is_not_media_is_corrupt(tmp_path: Path) -> None:
    assert reason_for(write_text(tmp_path / "letter.mp4")) is Reason.CORRUPT
    assert reason_for(write_empty(tmp_path / "empty.mp4")) is Reason.CORRUPT


def test_a_playlist_dressed_as_a_video_opens_no_other_file(tmp_path: Path) -> None:
    target = write_wave(tmp_path / "secret.wav", hum(1.0))
    assert reason_for(write_playlist(tmp_path / "video.mp4", target=str(target))) is Reason.CORRUPT


def test_a_name_with_odd_characters_is_a_file_all_the_same(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "-i concat:a|b %d 'x'.wav", hum(0.5))
    assert read_audio(path).duration_s == pytest.approx(0.5)
