"""Spoken sentences with the time of every word, by offline voices and by people.

piper   an American voice; its own durations of the phonemes give the times of the words
pico    voices of five languages (SVOX Pico); only where a sentence begins and ends is known
people  five sentences of a LibriVox reading, the words timed by forced alignment; they come with pocketsphinx's source
"""

import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt

from tests.makers import count_word_errors
from tests.makers.speech import load_voice

Samples = npt.NDArray[np.float32]  # mono, -1..1

RATE_HZ = 22_050
AUDIBLE = 0.01  # of full scale: what is quieter before and after a sentence is cut away
POCKETSPHINX = "5.1.1"
KEPT = Path("data/truth/speech")
VERSION = "1"  # of what is kept there

Language = Literal["en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "it-IT"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    text: str
    start: float  # seconds from the first sample; nan where it is not known
    end: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Utterance:
    """A sentence as somebody said it."""

    samples: Samples  # at RATE_HZ
    words: tuple[SpokenWord, ...]
    language: str  # two letters

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE_HZ


@functools.cache
def piper(text: str, *, pace: float = 1.0) -> Utterance:
    """`pace` is how much longer everything lasts."""
    return _kept(f"piper {pace} {text}", lambda: _piper_says(text, pace))


@functools.cache
def pico(text: str, *, language: Language) -> Utterance:
    return _kept(f"pico {language} {text}", lambda: _pico_says(text, language))


def _kept(name: str, make: Callable[[], Utterance]) -> Utterance:
    """What was said once is kept: the films are planned by it in every run."""
    path = KEPT / f"{hashlib.sha256((VERSION + name).encode()).hexdigest()[:24]}.npz"
    if not path.is_file():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        times = np.array([(word.start, word.end) for word in made.words])
        words = np.array([word.text for word in made.words])
        partial = path.with_suffix(f".{os.getpid()}.npz")
        np.savez(partial, samples=made.samples, words=words, times=times, language=made.language)
        partial.replace(path)
    with np.load(path) as held:
        timed = zip(held["words"].tolist(), held["times"].tolist(), strict=True)
        said = tuple(SpokenWord(text=word, start=start, end=end) for word, (start, end) in timed)
        return Utterance(samples=held["samples"], words=said, language=str(held["language"]))


def _piper_says(text: str, pace: float) -> Utterance:
    from piper import SynthesisConfig

    calm = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, length_scale=pace)
    parts, phonemes, position = [], [], 0
    for chunk in load_voice(timed=True).synthesize(text, calm, include_alignments=True):
        assert chunk.phoneme_alignments is not None
        for aligned in chunk.phoneme_alignments:
            phonemes.append((aligned.phoneme, position, position + int(aligned.num_samples)))
            position = phonemes[-1][2]
        phonemes.append((" ", position, position))
        parts.append(chunk.audio_float_array.astype(np.float32))
    samples = np.concatenate(parts)
    spans = _word_spans(text.split(), phonemes)
    words = [
        SpokenWord(text=word, start=start / RATE_HZ, end=end / RATE_HZ)
        for word, (start, end) in zip(text.split(), spans, strict=True)
    ]
    return _trimmed(Utterance(samples=samples, words=tuple(words), language="en"))


def _pico_says(text: str, language: Language) -> Utterance:
    import ttspico

    raw = ttspico.TtsEngine(language).speak(text)
    return _trimmed(
        Utterance(samples=_resampled(_floats(raw), 16_000), words=_untimed(text.split()), language=language[:2])
    )


def people(folder: Path) -> list[Utterance]:
    """The sentences of the LibriVox reading; what they come with is kept in `folder`."""
    source = _fetched("pocketsphinx", POCKETSPHINX, folder)
    told = []
    with tarfile.open(source) as archive:
        names = sorted(name for name in archive.getnames() if re.search(r"/librivox/[^/]*-\d+\.wav$", name))
        for name in names:
            opened, timed = archive.extractfile(name), archive.extractfile(name.replace(".wav", ".json"))
            assert opened is not None and timed is not None
            with wave.open(opened) as recording:
                told.append(_told(recording, json.load(timed)["w"]))
    return told


def _told(recording: wave.Wave_read, aligned: Sequence[dict[str, Any]]) -> Utterance:
    samples = _floats(recording.readframes(recording.getnframes()))
    words = [
        SpokenWord(text=re.sub(r"\(\d\)$", "", word["t"]), start=word["b"], end=word["b"] + word["d"])
        for word in aligned
        if not word["t"].startswith(("<", "["))
    ]
    return Utterance(samples=_resampled(samples, recording.getframerate()), words=tuple(words), language="en")


def _fetched(package: str, version: str, folder: Path) -> Path:
    """The source archive of a package, from the index that pip uses."""
    found = folder / f"{package}-{version}.tar.gz"
    if not found.is_file():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", package]
        subprocess.run([*command, f"{package}=={version}", "-d", str(folder)], check=True)
    return found


def _word_spans(words: Sequence[str], phonemes: Sequence[tuple[str, int, int]]) -> list[tuple[float, float]]:
    """First and last sample of each word; nan between words that the voice runs together ("on the" is one sound)."""
    groups: list[tuple[str, int, int]] = []
    text, start, end = "", 0, 0
    for phoneme, first, last in phonemes:
        if phoneme in (" ", "^", "$", ",", ".", "?", "!", ";", ":"):
            if text:
                groups.append((text, start, end))
            text = ""
        else:
            start = first if not text else start
            text, end = text + phoneme, last
    spans: list[tuple[float, float]] = []
    place = 0
    for (_, start, end), count in zip(groups, _shared_out([group[0] for group in groups], words), strict=True):
        inner = [float("nan")] * (count - 1)
        spans += zip([start, *inner], [*inner, end], strict=True)
        place += count
    assert place == len(words)
    return spans


def _shared_out(groups: Sequence[str], words: Sequence[str]) -> list[int]:
    """How many of the words each group of phonemes is, so that the sounds differ least from those of single words."""
    sounds = [_sound(word) for word in words]
    best: dict[int, tuple[int, list[int]]] = {0: (0, [])}
    for group in groups:
        heard, reached = _unstressed(group), dict[int, tuple[int, list[int]]]()
        for place, (cost, counts) in best.items():
            for count in (1, 2, 3):
                if place + count <= len(sounds):
                    more = cost + _distance(heard, "".join(sounds[place : place + count]))
                    if place + count not in reached or more < reached[place + count][0]:
                        reached[place + count] = (more, [*counts, count])
        best = reached
    return best[len(words)][1]


@functools.cache
def _sound(word: str) -> str:
    return _unstressed("".join(phoneme for sentence in load_voice(timed=True).phonemize(word) for phoneme in sentence))


def _unstressed(text: str) -> str:
    return re.sub(r"[\W_ˈˌː]", "", text)


def _distance(one: str, other: str) -> int:
    return count_word_errors(list(one), list(other))


def _floats(raw: bytes) -> Samples:
    samples: Samples = np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(32768)
    return samples


def _untimed(words: Sequence[str]) -> tuple[SpokenWord, ...]:
    unknown = float("nan")
    return tuple(SpokenWord(text=word, start=unknown, end=unknown) for word in words)


def _trimmed(utterance: Utterance) -> Utterance:
    """Without the silence before and after it; first and last word get the ends where they have no times."""
    audible = np.flatnonzero(np.abs(utterance.samples) > AUDIBLE)
    first, last = int(audible[0]), int(audible[-1]) + 1
    shift = first / RATE_HZ
    words = [replace(word, start=word.start - shift, end=word.end - shift) for word in utterance.words]
    words[0] = replace(words[0], start=max(0.0, words[0].start) if words[0].start == words[0].start else 0.0)
    seconds = (last - first) / RATE_HZ
    end = words[-1].end
    words[-1] = replace(words[-1], end=min(seconds, end) if end == end else seconds)
    return replace(utterance, samples=utterance.samples[first:last], words=tuple(words))


def _resampled(samples: Samples, rate_hz: int) -> Samples:
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="flt", layout="mono")
    frame.sample_rate = rate_hz
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    parts = [part.to_ndarray()[0] for part in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(parts).astype(np.float32)
