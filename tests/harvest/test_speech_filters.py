"""What Whisper invents, repeats or doubts is dropped, and what people say is kept."""

from pathlib import Path
from typing import Any

import pytest

from harvest.filters import FILTERS, Candidate, Drop, FilterConfig
from harvest.pairing import PairingConfig, pair
from harvest.records import KeyFrame, Scene, Scenes, Segment, Transcript, Video, Word
from tests.makers import plan_lessons

VIDEO = Video(
    id="a", url="https://x.org/a", media="media.mp4", extractor="generic", title="", channel="", license="",
    upload_date="", language="en", retrieved_at="", duration=600.0, width=320, height=240,
)  # fmt: skip
FRAME = KeyFrame(
    file="", time=5.0, start=0.0, end=600.0, width=4, height=4, sharpness=1.0, brightness=99.0, contrast=50.0,
    motion=0.0, dhash="0" * 16, thumbnail="",
)  # fmt: skip
SENTENCE = "Here you see how the bread is made in the old bakery"
SPEECH = ("language", "looping", "impossible_rate", "stock_phrase")


def segment(text: str, *, start: float = 0.0, each: float = 0.3, voice_s: float = -1.0, **scores: float) -> Segment:
    words = tuple(
        Word(text=f" {word}", start=start + place * each, end=start + (place + 1) * each, probability=0.9)
        for place, word in enumerate(text.split())
    )
    values: dict[str, Any] = {"avg_logprob": -0.2, "no_speech_prob": 0.1, "compression_ratio": 1.2} | scores
    return Segment(words=words, voice_s=voice_s, **values)


def candidate(*segments: Segment, language: str = "en", prob: float = -1.0) -> Candidate:
    """As `harvest shard` makes it, of a video that is one scene."""
    transcript = Transcript(language=language, model="m", engine="e", segments=segments, language_prob=prob)
    scenes = Scenes(detector="made", scenes=(Scene(start=0.0, end=600.0, frames=(FRAME,)),))
    (found,) = pair(scenes, transcript, PairingConfig())
    return Candidate(pair=found, video=VIDEO, language=language, folder=Path())


def judged(one: Candidate, **settings: object) -> Drop | None:
    """By the filters of speech, in their order."""
    config = FilterConfig.model_validate(settings)
    drops = (FILTERS[name](config).judge(one) for name in SPEECH)
    return next((drop for drop in drops if drop is not None), None)


def reason(one: Candidate, **settings: object) -> str | None:
    drop = judged(one, **settings)
    return drop.reason if drop else None


def test_a_phrase_that_follows_itself_again_and_again_is_a_loop() -> None:
    assert judged(candidate(segment("and then we go on, " * 8))) == Drop("said_in_a_row", 8)
    assert judged(candidate(segment("no no no no that is not how it is done"))) is None


def test_one_round_of_a_loop_is_dropped_with_the_loop() -> None:
    loop = segment("I am going to the store. " * 12)
    one = candidate(loop)
    assert len(one.pair.words) < len(loop.words)
    assert reason(one) == "said_in_a_row"


def test_ten_words_that_come_more_than_three_times_are_a_loop_whatever_is_between() -> None:
    rounds = " ".join(f"{SENTENCE} {extra}." for extra in ("now", "again", "once more", "still"))
    assert judged(candidate(segment(rounds))) == Drop("repeated", 4)
    assert judged(candidate(segment(rounds)), max_repeats=4) is None


def test_alike_sentences_are_kept_though_they_compress_like_a_loop_unless_whisper_was_in_doubt() -> None:
    facts = plan_lessons()[0].facts[:8]
    text = ". ".join(fact.sentence for fact in facts)
    assert judged(candidate(segment(text, compression_ratio=3.1))) is None
    doubtful = segment(text, compression_ratio=3.1, avg_logprob=-0.9)
    assert reason(candidate(doubtful)) == "few_different_words"


def test_more_characters_than_a_mouth_can_say_are_impossible() -> None:
    assert judged(candidate(segment(SENTENCE, voice_s=1.0))) == Drop("impossible_rate", 41.0)
    assert judged(candidate(segment(SENTENCE, voice_s=3.0))) is None
    assert reason(candidate(segment(SENTENCE, each=0.05))) == "impossible_rate"


def test_a_word_of_many_seconds_is_no_word() -> None:
    drawn_out = segment("so this one lasts", each=5.0)
    assert judged(candidate(drawn_out)) == Drop("drawn_out_word", 5.0)
    assert judged(candidate(drawn_out), max_word_s=6) is None


@pytest.mark.parametrize(
    "text",
    [
        "Thank you.",
        "Thanks for watching! Thanks for watching!",
        "Untertitel der Amara.org-Community",
        "Sous-titres réalisés par la communauté d'Amara.org",
        "Subtitles by the Amara.org community",
        "ご視聴ありがとうございました",
    ],
)
def test_a_stock_phrase_that_stands_alone_is_dropped(text: str) -> None:
    assert judged(candidate(segment(text, each=1.0))) == Drop("stock_phrase", 1.0)
    assert judged(candidate(segment(text, each=1.0)), stock_phrases="keep") is None


def test_a_stock_phrase_beside_other_speech_is_dropped_only_where_whisper_is_in_doubt() -> None:
    text = f"{SENTENCE}. Thank you."
    assert judged(candidate(segment(text))) is None
    assert reason(candidate(segment(text, no_speech_prob=0.5))) == "stock_phrase"
    assert reason(candidate(segment(text, avg_logprob=-0.8))) == "stock_phrase"
    assert judged(candidate(segment(SENTENCE, no_speech_prob=0.5))) is None


def test_only_the_wanted_languages_are_kept() -> None:
    one = candidate(segment(SENTENCE), language="de", prob=0.7)
    assert judged(one) is None
    assert judged(one, languages=["en"]) == Drop("other_language", 0.7)
    assert judged(one, languages=["en", "de"]) is None


def test_a_language_of_which_whisper_was_not_sure_is_dropped_and_one_that_was_given_is_kept() -> None:
    assert judged(candidate(segment(SENTENCE), prob=0.4), min_language_prob=0.5) == Drop("doubtful_language", 0.4)
    assert judged(candidate(segment(SENTENCE), prob=0.6), min_language_prob=0.5) is None
    assert judged(candidate(segment(SENTENCE)), min_language_prob=0.5) is None
