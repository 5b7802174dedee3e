"""Where sound is cut before it is heard."""

import itertools

import numpy as np

from harvest.asr.base import RATE_HZ, Audio
from harvest.asr.windows import LONGEST, all_windows, speech_windows
from tests.harvest.asr.conftest import Talk


def test_windows_of_speech_hold_all_that_is_said_and_no_long_silence(talk: Talk) -> None:
    windows = speech_windows(talk.audio)
    assert len(windows) == 3
    for phrase in talk.phrases:
        assert any(window.start_s <= phrase.start + 0.1 and phrase.end - 0.1 <= window.end_s for window in windows)
    spoken = sum(phrase.end - phrase.start for phrase in talk.phrases)
    assert sum(window.end_s - window.start_s for window in windows) < spoken + 3 * 1.0


def test_speech_without_a_pause_is_cut_into_windows_that_whisper_can_take(talk: Talk) -> None:
    words = talk.audio.samples[3 * RATE_HZ : 6 * RATE_HZ]
    windows = speech_windows(Audio(samples=np.tile(words, 30)))
    assert len(windows) >= 3
    assert all(window.end_s - window.start_s <= LONGEST for window in windows)
    assert all(before.end <= after.first for before, after in itertools.pairwise(windows))


def test_all_windows_cover_every_sample_once_and_are_cut_where_it_is_quiet() -> None:
    samples = np.ones(70 * RATE_HZ, np.float32)
    samples[27 * RATE_HZ : 28 * RATE_HZ] = 0.0
    windows = all_windows(Audio(samples=samples))
    assert windows[0].first == 0
    assert windows[-1].end == len(samples)
    assert all(before.end == after.first for before, after in itertools.pairwise(windows))
    assert all(window.end_s - window.start_s <= LONGEST for window in windows)
    assert 27 < windows[0].end_s < 28
