"""Subtitles written for tests, beside and inside of real media."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from harvest.media.audio import ffmpeg_executable

Lines = Sequence[tuple[float, float, str]]
"""Start and end in seconds, and the text."""


def srt(lines: Lines) -> str:
    cues = (
        f"{number}\n{_clock(start)} --> {_clock(end)}\n{text}\n" for number, (start, end, text) in enumerate(lines, 1)
    )
    return "\n".join(cues)


def vtt(lines: Lines) -> str:
    return "WEBVTT\n\n" + srt(lines).replace(",", ".")


def mux(media: Path, subtitles: Sequence[Path], to: Path, *, codec: str, disposition: str = "0") -> Path:
    """`media` with text streams in it, by ffmpeg as people do it."""
    inputs = [part for path in (media, *subtitles) for part in ("-i", str(path))]
    maps = [part for number in range(len(subtitles) + 1) for part in ("-map", str(number))]
    command = [ffmpeg_executable(), "-nostdin", "-loglevel", "error", "-y", *inputs, *maps, "-c", "copy"]
    subprocess.run([*command, "-c:s", codec, "-disposition:s:0", disposition, str(to)], check=True)
    return to


def _clock(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02},{whole % 1000:03}"
