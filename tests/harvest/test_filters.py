"""Each filter drops what it names and keeps the rest."""

import dataclasses

import numpy as np
import pytest

from harvest.filters import FILTERS, FilterConfig
from harvest.keyframes import difference_hash, thumbnail
from harvest.pairing import Pair
from harvest.records import KeyFrame, Word
from tests.makers import Fact, Picture, Thing, blank, draw_fact


def candidate(text: str = "a red circle", *, contrast: float = 50.0, silence: float = 0.1, sure: float = -0.2) -> Pair:
    frame = frame_of(fact_picture(0), contrast=contrast)
    words = tuple(
        Word(text=f" {word}", start=float(place), end=place + 1.0, probability=1.0)
        for place, word in enumerate(text.split())
    )
    return Pair(
        frame=frame, scene_start=0.0, scene_end=2.0, words=words, context_before="", context_after="",
        avg_logprob=sure, no_speech_prob=silence, compression_ratio=1.0,
    )  # fmt: skip


def frame_of(shown: Picture, *, motion: float = 0.0, contrast: float = 50.0) -> KeyFrame:
    """A key frame that shows the picture."""
    luma = shown.mean(axis=2).astype(np.uint8)
    return KeyFrame(
        file="", dhash=difference_hash(luma), thumbnail=thumbnail(shown), time=1.0, start=0.0, end=2.0, width=4,
        height=4, sharpness=1.0, brightness=9.0, contrast=contrast, motion=motion,
    )  # fmt: skip


def fact_picture(seed: int) -> Picture:
    first, second = Thing(colour="red", shape="circle"), Thing(colour="blue", shape="star")
    return draw_fact(Fact(first=first, relation="is over", second=second), seed=seed, background=seed)


def shows(shown: Picture, *, video: str = "a", motion: float = 0.0) -> Pair:
    return dataclasses.replace(candidate(), frame=frame_of(shown, motion=motion), video_id=video)


def judged(*pairs: Pair) -> list[bool]:
    """Which of the pairs, one after the other, are kept."""
    near_duplicate = FILTERS["near_duplicate"](FilterConfig())
    return [near_duplicate.reason_to_drop(pair) is None for pair in pairs]


def with_box(shown: Picture, *, left: int, width: int) -> Picture:
    boxed = shown.copy()
    boxed[60:180, left : left + width] = 90
    return boxed


def test_a_picture_is_kept_once_in_its_video_and_in_the_set() -> None:
    first, second = fact_picture(0), fact_picture(1)
    assert judged(shows(first), shows(second), shows(first), shows(first, video="b")) == [True, True, False, False]


def test_what_moves_before_a_room_makes_no_new_picture_but_a_page_with_other_words_is_one() -> None:
    person, elsewhere = (with_box(fact_picture(0), left=left, width=60) for left in (40, 200))
    assert judged(shows(person, motion=2.0), shows(elsewhere, motion=2.0)) == [True, False]
    page, other = (with_box(blank(230), left=40, width=width) for width in (60, 160))
    assert judged(shows(page), shows(other)) == [True, True]


def test_a_picture_of_the_same_shapes_in_other_colours_is_another() -> None:
    shown = fact_picture(0)
    tinted = np.clip(shown.astype(int) + np.array([60, 0, -60]), 0, 255).astype(np.uint8)
    assert judged(shows(shown), shows(tinted, video="b")) == [True, True]


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
