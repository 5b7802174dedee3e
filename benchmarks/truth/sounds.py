"""What is heard beside speech: music and noise, made by the seed."""

import numpy as np
import numpy.typing as npt

from benchmarks.truth.voices import RATE_HZ, Samples

CHORDS = ((220.0, 277.2, 329.6), (246.9, 311.1, 370.0), (196.0, 246.9, 293.7), (164.8, 207.7, 246.9))  # Hz
BEAT_S = 0.5


def music(seconds: float, *, seed: int) -> Samples:
    """Chords with a beat and a melody over them, at full scale."""
    random = np.random.default_rng([seed, 21])
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    total = np.zeros_like(times)
    for start in np.arange(0, seconds, BEAT_S):
        since = times - start
        here = (since >= 0) & (since < 4 * BEAT_S)
        chord = CHORDS[int(start / (4 * BEAT_S)) % len(CHORDS)]
        decay = np.exp(-3 * since[here])
        note = float(random.choice(chord)) * 2
        for frequency, loudness in ((note, 0.6), *((low, 0.25) for low in chord)):
            total[here] += loudness * decay * np.sin(2 * np.pi * frequency * since[here])
        struck = (since >= 0) & (since < 0.05)
        total[struck] += 0.5 * random.normal(size=int(struck.sum())) * np.exp(-80 * since[struck])
    return _full_scale(total)


def noise(seconds: float, *, seed: int) -> Samples:
    """A street or a wind: more low than high, coming and going, at full scale."""
    random = np.random.default_rng([seed, 22])
    count = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(random.normal(size=count))
    spectrum /= np.sqrt(1 + np.fft.rfftfreq(count, 1 / RATE_HZ) / 300)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * np.arange(count) / RATE_HZ / random.uniform(3, 7))
    return _full_scale(np.fft.irfft(spectrum, count) * swell)


def _full_scale(samples: npt.NDArray[np.float64]) -> Samples:
    loud: Samples = (samples / np.abs(samples).max()).astype(np.float32)
    return loud
