"""Captions are clean text, and keep what was said unless a person wishes otherwise."""

import pytest

from harvest.spelling import SpellingConfig, clean_text, spell

DROP = SpellingConfig(stutters="drop", fillers="drop")


@pytest.mark.parametrize(
    ("heard", "clean"),
    [
        (" A red  circle,\n\tover  a blue one. ", "A red circle, over a blue one."),
        ("cafe\u0301", "caf\u00e9"),
        ("♪ La la ♪♪", "La la"),
        ("C♯ and F♯", "C♯ and F♯"),
        ("\u202eevil\u202c \u200bword\ufeff\u00ad s\x00\x1b[31m", "evil word s [31m"),
        ("می\u200cخواهم 👨\u200d👩\u200d👧", "می\u200cخواهم 👨\u200d👩\u200d👧"),
        ("ice\u00a0cream\u3000今日は", "ice cream 今日は"),
        ("♪ 🎵", ""),
    ],
)
def test_a_caption_holds_what_is_read_and_nothing_else(heard: str, clean: str) -> None:
    assert clean_text(heard) == clean
    assert clean_text(clean) == clean


@pytest.mark.parametrize("said", ["Um, I I I think so, uh.", "No, no, no!", "Very very th- the best."])
def test_hesitation_stays_by_default(said: str) -> None:
    assert spell(said, "en", SpellingConfig()) == said


@pytest.mark.parametrize(
    ("said", "language", "written"),
    [
        ("Um, I I I think so, uh.", "en", "I think so."),
        ("So, uh, the the dog had had very very th- the best.", "en", "So, the the dog had had very very the best."),
        ("I-I-I see an umbrella, hmm... and a hum.", "en", "I see an umbrella, and a hum."),
        ("Er geht um den Ball, ähm, um zu spielen.", "de", "Er geht um den Ball, um zu spielen."),
        ("É um um gato.", "pt", "É um um gato."),
        ("Um. Uh.", "en", "Um. Uh."),
    ],
)
def test_stutters_and_fillers_go_by_choice_and_words_that_look_like_them_stay(
    said: str, language: str, written: str
) -> None:
    assert spell(said, language, DROP) == written
