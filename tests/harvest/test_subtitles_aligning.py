"""Whisper's times, people's spelling, and a check that both are about the same speech."""

import pytest

from harvest.errors import Reason, StageError
from harvest.records import Segment, Transcript, Word
from harvest.subtitles import Cue, Track, corrected, written

HEARD = "so this is the web space telescope in one of the largest clean rooms of the world near green belt"


def transcript(text: str, *, begin: float = 1.0, language: str = "en") -> Transcript:
    """A word every half second, each 0.4 seconds long."""
    words = tuple(
        Word(text=f" {word}", start=begin + place / 2, end=round(begin + place / 2 + 0.4, 3), probability=0.5)
        for place, word in enumerate(text.split())
    )
    segment = Segment(words=words, avg_logprob=-0.5, no_speech_prob=0.1, compression_ratio=1.5)
    return Transcript(language=language, model="m", engine="e", segments=(segment,))


def track(*cues: tuple[float, float, str], name: str = "a.srt", language: str = "en") -> Track:
    return Track(
        name=name, language=language, cues=tuple(Cue(start=start, end=end, text=text) for start, end, text in cues)
    )


def words(made: Transcript) -> dict[str, tuple[float, float]]:
    return {word.text.strip(): (word.start, word.end) for segment in made.segments for word in segment.words}


def text(made: Transcript) -> str:
    return "".join(word.text for segment in made.segments for word in segment.words).strip()


SPELLED = track(
    (0.2, 4.0, "So this is the Webb\nspace telescope,"),
    (4.0, 10.9, "in one of the largest cleanrooms of the world near Greenbelt."),
)


def test_words_are_spelled_as_written_at_the_times_at_which_they_were_heard() -> None:
    made = corrected(transcript(HEARD), [SPELLED], 0.5)
    assert (
        text(made)
        == "So this is the Webb space telescope, in one of the largest cleanrooms of the world near Greenbelt."
    )
    assert (made.source, made.subtitles[0].verdict, made.subtitles[0].used_cues) == ("aligned", "used", 2)
    found = words(made)
    assert (found["So"], found["Webb"], found["world"]) == ((1.0, 1.4), (3.0, 3.4), (9.0, 9.4))
    assert (found["cleanrooms"], found["Greenbelt."]) == ((7.0, 7.9), (10.0, 10.9))


def test_words_that_whisper_writes_together_share_the_time_of_the_one() -> None:
    found = words(corrected(transcript("we love cleanrooms a lot"), [track((1, 4, "we love clean rooms a lot"))], 0.5))
    assert (found["clean"][0], found["clean"][1], found["rooms"][1]) == (2.0, found["rooms"][0], 2.4)


def test_words_that_were_not_made_out_lie_between_their_neighbours() -> None:
    heard = transcript("cut the into small pieces")
    made = corrected(heard, [track((1, 4, "First cut the two onions into small pieces now"))], 0.5)
    assert text(made) == "First cut the two onions into small pieces now"
    times = [time for span in words(made).values() for time in span]
    assert times == sorted(times)
    assert words(made)["into"] == (2.0, 2.4)


def test_what_no_cue_covers_stays_as_it_was_heard_with_its_scores() -> None:
    made = corrected(transcript(HEARD), [track((0.5, 4.4, "So this is the Webb space telescope"))], 0.5)
    assert text(made).startswith("So this is the Webb space telescope in one of")
    assert [segment.avg_logprob for segment in made.segments] == [0.0, -0.5]


def test_what_whisper_repeats_and_nobody_wrote_goes() -> None:
    made = corrected(transcript("this is is is the end"), [track((1, 4, "This is the end."))], 0.5)
    assert text(made) == "This is the end."


def test_a_cue_that_nobody_heard_is_left_out() -> None:
    credit = track(*((cue.start, cue.end, cue.text) for cue in SPELLED.cues), (14, 17, "Subtitles by the community"))
    made = corrected(transcript(HEARD), [credit], 0.5)
    assert text(made).endswith("Greenbelt.")
    assert (made.subtitles[0].cues, made.subtitles[0].used_cues) == (3, 2)


@pytest.mark.parametrize(
    "other",
    [
        track(
            (0.2, 4.0, "Das ist nun das Webb-Weltraumteleskop"), (4.0, 11.0, "in einem der größten Reinräume der Welt")
        ),
        track((60.2, 64.0, "So this is the web space telescope"), (64.0, 71.0, "in one of the largest clean rooms")),
        track(
            (0.2, 4.0, "The soup is in the pot, so we stir"),
            (4.0, 11.0, "one of the onions near the window, of course"),
        ),
    ],
    ids=["another language", "shifted by a minute", "of another film"],
)
def test_subtitles_of_other_speech_are_not_used_and_the_record_says_so(other: Track) -> None:
    heard = transcript(HEARD)
    made = corrected(heard, [other], 0.5)
    assert (made.source, made.segments) == ("asr", heard.segments)
    assert made.subtitles[0].agreement < 0.5
    assert "differs from what is heard" in made.subtitles[0].verdict


def test_of_several_tracks_the_one_that_was_heard_most_is_taken() -> None:
    german = track((0.2, 4.0, "Das ist nun das Webb-Weltraumteleskop"), name="de", language="en")
    made = corrected(transcript(HEARD), [german, SPELLED, Track(name="x", language="", problem="is a picture")], 0.5)
    verdicts = [one.verdict for one in made.subtitles]
    assert verdicts[1:] == ["used", "is a picture"]


def test_languages_without_blanks_are_aligned_by_their_characters() -> None:
    heard = transcript("今天 我们 来 切 羊葱", language="zh")
    heard_words = tuple(
        Word(text=word.text.strip(), start=word.start, end=word.end, probability=0.5)
        for word in heard.segments[0].words
    )
    bare = Segment(words=heard_words, avg_logprob=0.0, no_speech_prob=0.0, compression_ratio=1.0)
    spoken = Transcript(language="zh", model="m", engine="e", segments=(bare,))
    made = corrected(spoken, [track((1, 4, "今天我们来切洋葱。"), language="zh")], 0.5)
    assert text(made) == "今天我们来切洋葱。"
    assert words(made)["切"] == (2.5, 2.9)


def test_a_long_lecture_is_aligned_in_the_time_that_its_length_takes() -> None:
    text_of_hours = " ".join(f"word{place % 900}" for place in range(8000))
    cues = [
        (1 + start / 2, 1 + start / 2 + 5, " ".join(text_of_hours.split()[start : start + 10]))
        for start in range(0, 8000, 10)
    ]
    made = corrected(transcript(text_of_hours), [track(*cues)], 0.5)
    assert made.subtitles[0].agreement == 1.0


def test_without_listening_a_cues_time_is_shared_out_by_length() -> None:
    made = written([track((1, 2, "ja"), language="ger"), track((1.0, 3.0, "a bb ccccc"), language="eng")], "en")
    assert words(made) == {"a": (1.0, 1.364), "bb": (1.364, 1.909), "ccccc": (1.909, 3.0)}
    assert (made.source, made.language, made.model) == ("subtitles", "en", "")
    assert [one.verdict for one in made.subtitles] == ["another track is taken", "used"]


def test_without_subtitles_in_the_language_the_sentence_names_what_there_is() -> None:
    with pytest.raises(StageError, match=r"no subtitles in en .*a.srt \(de\).*transcribe.source=auto") as caught:
        written([track((1, 2, "ja"), language="de")], "en")
    assert caught.value.reason is Reason.NO_SUBTITLES
