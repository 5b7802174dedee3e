"""Each filter drops what it names and keeps the rest."""

import dataclasses

import numpy as np
import pytest

from harvest.filters import FILTERS, Candidate, Drop, FilterConfig
from harvest.pairing import Pair
from harvest.records import KeyFrame, Video, Word
from harvest.stills import difference_hash, thumbnail
from tests.makers import Fact, Picture, Thing, blank, draw_fact

VIDEO = Video(
    id="a", url="https://x.org/a", media="media.mp4", extractor="generic", title="A title", channel="A channel",
    license="CC-BY", upload_date="", language="en", retrieved_at="", duration=60.0, width=320, height=240,
)  # fmt: skip


def candidate(
    text: str = "a red circle", *, contrast: float = 50.0, silence: float = 0.1, sure: float = -0.2
) -> Candidate:
    frame = frame_of(fact_picture(0), contrast=contrast)
    words = tuple(
        Word(text=f" {word}", start=float(place), end=place + 1.0, probability=1.0)
        for place, word in enumerate(text.split())
    )
    pair = Pair(
        frame=frame, scene_start=0.0, scene_end=2.0, words=words, context_before="", context_after="",
        avg_logprob=sure, no_speech_prob=silence, compression_ratio=1.0,
    )  # fmt: skip
    return Candidate(pair=pair, video=VIDEO, language="en")


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


def shows(shown: Picture, *, video: str = "a", motion: float = 0.0) -> Candidate:
    pair = dataclasses.replace(candidate().pair, frame=frame_of(shown, motion=motion))
    return dataclasses.replace(candidate(), pair=pair, video=dataclasses.replace(VIDEO, id=video))


def judged(*candidates: Candidate) -> list[bool]:
    """Which of the candidates, one after the other, are kept."""
    near_duplicate = FILTERS["near_duplicate"](FilterConfig())
    return [near_duplicate.judge(one) is None for one in candidates]


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
    ("name", "judged", "drop"),
    [
        ("no_speech", candidate(""), Drop("no_speech", 0)),
        ("no_speech", candidate(silence=0.9, sure=-1.5), Drop("doubtful_speech", 0.9)),
        ("no_speech", candidate(silence=0.9, sure=-0.3), None),
        ("no_speech", candidate(silence=0.1, sure=-1.5), None),
        ("too_short", candidate("red circle"), Drop("too_short", 2)),
        ("too_short", candidate("a red circle"), None),
        ("blank_frame", candidate(contrast=1.0), Drop("blank_frame", 1.0)),
        ("blank_frame", candidate(contrast=8.0), None),
    ],
)
def test_a_filter_drops_what_it_names(name: str, judged: Candidate, drop: Drop | None) -> None:
    assert FILTERS[name](FilterConfig()).judge(judged) == drop


def test_every_filter_keeps_a_good_pair_and_is_named_as_listed() -> None:
    for name, kind in FILTERS.items():
        assert kind.name == name
        assert kind(FilterConfig()).judge(candidate()) is None
