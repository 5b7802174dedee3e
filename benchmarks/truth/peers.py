"""What a person would otherwise do, each with the tools' own defaults, run as their users run them.

pyscenedetect  PySceneDetect's command (its default detector), the middle frame of each scene; Whisper's command,
               the segments that lie mostly in the scene
fixed          Whisper's command; every 5 seconds the frame in the middle and the segments heard then
video2dataset  its settings: ContentDetector(27) on pictures 64 pixels wide, clips between cuts, one frame a clip;
               speech in batches after voice detection, as WhisperX does, for which faster-whisper's own stands in
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import imageio_ffmpeg

from benchmarks.truth.measure import Heard, Made, MadePair

WINDOW_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What Whisper calls one."""

    text: str
    start: float
    end: float
    words: tuple[Heard, ...]


def whisper_command(files: Sequence[Path], checkpoint: Path, folder: Path) -> dict[str, list[Segment]]:
    """Of each file, by openai-whisper's command with its own defaults, word times asked for."""
    wanted = [file for file in files if not (folder / f"{file.stem}.json").is_file()]
    if wanted:
        command = [
            sys.executable,
            "-m",
            "benchmarks.truth.whisper_command",
            *map(str, wanted),
            "--model",
            str(checkpoint),
        ]
        options = ["--output_dir", str(folder), "--output_format", "json", "--word_timestamps", "True"]
        subprocess.run([*command, *options, "--fp16", "False", "--threads", "1"], check=True, env=_with_ffmpeg(folder),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    return {file.stem: _segments_of(json.loads((folder / f"{file.stem}.json").read_text())) for file in files}


def faster_whisper_batched(files: Sequence[Path], model: Path) -> dict[str, list[Segment]]:
    """Of each file, voice detection first, then batches of what was found."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    pipeline = BatchedInferencePipeline(WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=1))
    found = {}
    for file in files:
        segments, _ = pipeline.transcribe(str(file), batch_size=8, word_timestamps=True)
        found[file.stem] = [
            Segment(
                text=segment.text,
                start=segment.start,
                end=segment.end,
                words=tuple(Heard(text=word.word, start=word.start, end=word.end) for word in segment.words or ()),
            )
            for segment in segments
        ]
    return found


def pyscenedetect(file: Path, segments: Sequence[Segment], folder: Path) -> Made:
    table = folder / f"{file.stem}-Scenes.csv"
    if not table.is_file():
        command = [sys.executable, "-m", "scenedetect", "-q", "-i", str(file), "-o", str(folder)]
        subprocess.run([*command, "detect-adaptive", "list-scenes", "-s"], check=True)
    with table.open(newline="", encoding="utf-8") as opened:
        rows = [
            (float(row["Start Time (seconds)"]), float(row["End Time (seconds)"])) for row in csv.DictReader(opened)
        ]
    return _of_spans(rows or [(0.0, seconds_of(file))], segments, cuts=True)


def fixed_windows(file: Path, segments: Sequence[Segment]) -> Made:
    seconds = seconds_of(file)
    starts = [WINDOW_S * number for number in range(int(seconds / WINDOW_S) + 1)]
    return _of_spans([(start, min(seconds, start + WINDOW_S)) for start in starts], segments, cuts=False)


def video2dataset(file: Path, segments: Sequence[Segment]) -> Made:
    from scenedetect import ContentDetector, SceneManager, open_video

    manager = SceneManager()
    manager.add_detector(ContentDetector(threshold=27, min_scene_len=15))
    manager.auto_downscale = False
    with av.open(str(file)) as container:
        manager.downscale = max(1, container.streams.video[0].width // 64)
    manager.detect_scenes(open_video(str(file)))
    spans = [(start.seconds, end.seconds) for start, end in manager.get_scene_list(start_in_scene=True)]
    return _of_spans(spans, segments, cuts=True)


def seconds_of(file: Path) -> float:
    with av.open(str(file)) as container:
        return (container.duration or 0) / av.time_base


def _of_spans(spans: Sequence[tuple[float, float]], segments: Sequence[Segment], *, cuts: bool) -> Made:
    """One pair a span: its middle frame, and the segments whose middle lies in it."""
    pairs = []
    for start, end in spans:
        inside = [segment for segment in segments if start <= (segment.start + segment.end) / 2 < end]
        text = " ".join(segment.text.strip() for segment in inside).strip()
        if text:
            pairs.append(MadePair(time=(start + end) / 2, caption=text, start=inside[0].start, end=inside[-1].end))
    words = tuple(word for segment in segments for word in segment.words)
    found = tuple(start for start, _ in spans[1:]) if cuts else None
    return Made(cuts=found, words=words, pairs=tuple(pairs))


def _segments_of(told: dict[str, list[dict[str, object]]]) -> list[Segment]:
    return [_segment(one) for one in told["segments"]]


def _segment(one: dict[str, object]) -> Segment:
    words = one.get("words", [])
    assert isinstance(words, list)
    return Segment(
        text=str(one["text"]),
        start=float(str(one["start"])),
        end=float(str(one["end"])),
        words=tuple(Heard(text=word["word"], start=word["start"], end=word["end"]) for word in words),
    )


def _with_ffmpeg(folder: Path) -> dict[str, str]:
    """Whisper's command wants a program of just that name."""
    link = folder / "bin" / "ffmpeg"
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    return {**os.environ, "PATH": f"{link.parent}:{os.environ['PATH']}"}
