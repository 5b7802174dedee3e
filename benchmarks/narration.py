"""Made speech for measuring recognisers: what is said is known word by word, when it is said phrase by phrase.

Three talks of a minute or less, spoken by an offline voice: even, with long pauses, and over noise.
"""

import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harvest.asr.base import Audio
from harvest.media.audio import read_audio
from tests.makers import RATE_HZ, SpokenPhrase, noise, say, silence
from tests.makers.speech import Samples

SENTENCES = """
First we wash the potatoes | and cut them into thin slices.
Heat a little oil | in a heavy pan | until it begins to shine.
The onions go in first | because they need more time | than the garlic.
Stir them slowly | with a wooden spoon | so that nothing burns.
Now add the tomatoes | and a handful of fresh basil.
While the sauce is cooking | we can grate the cheese.
Behind the little church | you can see the old stone bridge.
A narrow path follows the river | down to the village.
In spring the meadow is full of yellow flowers | and the bees are busy all day.
The mountain on the left | is covered with snow | until the middle of June.
Turn the wheel gently | and listen for the sound of the bearing.
This screw holds the handle | and the other one holds the blade.
Put a drop of glue | on both sides of the joint | and press them together.
It takes about an hour to dry | so do not move it before lunch.
The engine in this car | was built before the war.
He opened the window | and a cold wind blew through the room.
Every morning the baker | carries his bread across the market square.
The children are playing with a red ball | near the fountain.
Our next guest | has sailed around the world | on a small boat.
Thank you for watching | and remember to water your plants.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Talk:
    name: str
    audio: Audio
    phrases: tuple[SpokenPhrase, ...]  # in order; together all that is said


def make_talks(sentences: int) -> list[Talk]:
    """The same talks every time, of so many sentences each."""
    return [
        _make_talk("even", sentences, seed=1, longest_pause=0.6, noise_level=0.0),
        _make_talk("pauses", sentences, seed=2, longest_pause=6.0, noise_level=0.0),
        _make_talk("noise", sentences, seed=3, longest_pause=1.0, noise_level=500.0),
    ]


def _make_talk(name: str, sentences: int, *, seed: int, longest_pause: float, noise_level: float) -> Talk:
    random = np.random.default_rng(seed)
    parts, phrases, position = [silence(1.0)], [], 1.0
    for line in random.permutation(SENTENCES.strip().splitlines())[:sentences]:
        speech = say([phrase.strip() for phrase in line.split("|")], pause=float(random.uniform(0.05, 0.25)))
        parts += [speech.samples, silence(float(random.uniform(0.3, longest_pause)))]
        phrases += [
            SpokenPhrase(text=phrase.text, start=position + phrase.start, end=position + phrase.end)
            for phrase in speech.phrases
        ]
        position += sum(len(part) for part in parts[-2:]) / RATE_HZ
    samples = np.concatenate(parts).astype(np.int32)
    if noise_level:
        samples += noise(len(samples) / RATE_HZ, seed=seed, level=noise_level)[: len(samples)]
    return Talk(name=name, audio=_at_16_khz(np.clip(samples, -32767, 32767).astype(np.int16)), phrases=tuple(phrases))


def _at_16_khz(samples: Samples) -> Audio:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talk.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(samples.tobytes())
        return read_audio(path)
