"""Each filter drops what it names and keeps the rest."""

import pytest

from harvest.filters import FILTERS, FilterConfig
from harvest.pairing import Pair
from harvest.records import KeyFrame, Word


def candidate(text: str = "a red circle", *, contrast: float = 50.0, silence: float = 0.1, sure: float = -0.2) -> Pair:
    measures = {"sharpness": 1.0, "brightness": 9.0, "contrast": contrast}
    frame = KeyFrame(file="", dhash="", time=1.0, start=0.0, end=2.0, width=4, height=4, **measures)
    words = tuple(
        Word(text=f" {word}", start=float(place), end=place + 1.0, probability=1.0)
        for place, word in enumerate(text.split())
    )
    return Pair(
        frame=frame, scene_start=0.0, scene_end=2.0, words=words, context_before="", context_after="",
        avg_logprob=sure, no_speech_prob=silence, compression_ratio=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "pair", "reason"),
    [
        ("no_speech", candidate(""), "no_speech"),
        ("no_speech", candidate(silence=0.9, sure=-1.5), "doubtful_speech"),
        ("no_speech", candidate(silence=0.9, sure=-0.3), None),
        ("no_speech", candidate(silence=0.1, sure=-1.5), None),
        ("too_short", candidate("red circle"), "too_short"),
        ("too_short", candidate("a red circle"), None),
        ("blank_frame", candidate(contrast=1.0), "blank_frame"),
        ("blank_frame", candidate(contrast=8.0), None),
    ],
)
def test_a_filter_drops_what_it_names(name: str, pair: Pair, reason: str | None) -> None:
    assert FILTERS[name](FilterConfig()).reason_to_drop(pair) == reason


def test_every_filter_keeps_a_good_pair_and_is_named_as_listed() -> None:
    for name, kind in FILTERS.items():
        assert kind.name == name
        assert kind(FilterConfig()).reason_to_drop(candidate()) is None
