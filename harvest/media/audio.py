"""The sound of a media file, as speech recognition wants it, on the video's own clock.

ffmpeg decodes it, in a process of its own: one local file, listed formats, one stream. Second 0 is the container's
start, as it is for frames; where the sound begins later or has gaps, there is silence.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import ffmpeg
import imageio_ffmpeg
import numpy as np

from harvest.asr.base import RATE_HZ, Audio, Samples
from harvest.errors import Reason, RequestError, StageError
from harvest.media.safe import FORMATS, PROTOCOLS, open_media

MAX_SECONDS = 6 * 3600.0  # 1.4 GB of samples; a forged time stamp asks for far more


def read_audio(path: Path) -> Audio:
    """Decode the audio stream of `path` that a player would choose.

    Raises StageError with NO_AUDIO, CORRUPT or TOO_LONG.
    """
    chosen, start = _choose(path)
    command = (
        ffmpeg.input(str(path.absolute()), protocol_whitelist=PROTOCOLS, format_whitelist=FORMATS, copyts=None)
        .output("pipe:", map=f"0:{chosen}", vn=None, sn=None, dn=None, af=_on_the_clock(start), ac=1, format="s16le")
        .global_args("-nostdin", "-hide_banner", "-loglevel", "error")
    )
    return Audio(samples=_samples(_run(command, path), path))


def ffmpeg_executable() -> str:
    """The machine's ffmpeg, or else the one that came with imageio-ffmpeg."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        raise RequestError(
            "There is no ffmpeg, so no sound can be read: install ffmpeg, or pip install imageio-ffmpeg."
        ) from None


def _run(command: Any, path: Path) -> bytes:
    """What ffmpeg writes; not by ffmpeg-python's own `run`, which cannot set the environment."""
    # imageio-ffmpeg's static program dies on MPEG-TS when it loads the machine's character sets: it finds none here.
    environment = {**os.environ, "GCONV_PATH": ""}
    arguments = ffmpeg.compile(command, cmd=ffmpeg_executable())
    finished = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    if finished.returncode:
        cause = " ".join(finished.stderr.decode(errors="replace").split())[-200:] or f"code {finished.returncode}"
        raise StageError(Reason.CORRUPT, f"The sound of {path.name} cannot be decoded by ffmpeg ({cause}).")
    return finished.stdout


def _choose(path: Path) -> tuple[int, float]:
    """Index of the audio stream among the file's streams, and the second at which the file's clock begins."""
    with open_media(path) as container:
        best = container.streams.best("audio")
        if best is None:
            raise StageError(Reason.NO_AUDIO, f"{path.name} has no audio stream, so nobody can be heard.")
        return best.index, (container.start_time or 0) / av.time_base


def _on_the_clock(start: float) -> str:
    """Filters: shift the clock's start to 0, drop what lies absurdly late, fill late starts and gaps with silence."""
    return f"asetpts=PTS-({start})/TB,atrim=end={MAX_SECONDS + 1},aresample={RATE_HZ}:async=1:first_pts=0"


def _samples(raw: bytes, path: Path) -> Samples:
    if not raw:
        raise StageError(Reason.NO_AUDIO, f"{path.name} has an audio stream without any sound, so nobody can be heard.")
    if len(raw) > 2 * RATE_HZ * MAX_SECONDS:
        raise StageError(Reason.TOO_LONG, f"{path.name} has more than {MAX_SECONDS / 3600:g} hours of sound: cut it.")
    samples = np.frombuffer(raw, "<i2").astype(np.float32)
    samples /= 32768
    return samples
