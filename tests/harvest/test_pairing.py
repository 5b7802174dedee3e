"""Words find the picture they were said over: hand-made cases."""

import itertools
from typing import Any

from harvest.pairing import PairingConfig, pair
from harvest.records import KeyFrame, Scene, Scenes, Segment, Transcript, Word

NO_GROWTH = PairingConfig(min_words=1)


def key_frame(start: float, end: float) -> KeyFrame:
    return KeyFrame(
        file="frames/x.jpg",
        time=(start + end) / 2,
        start=start,
        end=end,
        width=4,
        height=4,
        sharpness=1.0,
        brightness=1.0,
        contrast=50.0,
        motion=0.0,
        dhash="0" * 16,
        thumbnail="",
    )


def scenes_at(*bounds: float) -> Scenes:
    """Scenes between neighbouring bounds, a key frame each."""
    pairs = itertools.pairwise(bounds)
    scenes = tuple(Scene(start=start, end=end, frames=(key_frame(start, end),)) for start, end in pairs)
    return Scenes(detector="made", scenes=scenes)


def said(text: str, *, start: float = 0.0, each: float = 1.0, **scores: float) -> Segment:
    """Words of equal length, one after the other."""
    words = tuple(
        Word(text=f" {word}", start=start + number * each, end=start + (number + 1) * each, probability=0.9)
        for number, word in enumerate(text.split())
    )
    values: dict[str, Any] = {"avg_logprob": -0.2, "no_speech_prob": 0.1, "compression_ratio": 1.2} | scores
    return Segment(words=words, **values)


def transcript(*segments: Segment) -> Transcript:
    return Transcript(language="en", model="m", engine="e", segments=segments)


def captions(scenes: Scenes, spoken: Transcript, config: PairingConfig = NO_GROWTH) -> list[str]:
    return [found.caption for found in pair(scenes, spoken, config)]


def test_a_word_belongs_to_the_scene_its_centre_lies_in() -> None:
    spoken = transcript(said("zero one two three", start=0.4))
    assert captions(scenes_at(0, 2, 5), spoken) == ["zero one", "two three"]


def test_a_sentence_that_runs_over_a_cut_is_broken_there() -> None:
    spoken = transcript(said("this red thing. and now the blue one."))
    assert captions(scenes_at(0, 5, 8), spoken, PairingConfig(min_words=8)) == [
        "this red thing. and now",
        "the blue one.",
    ]


def test_a_frame_nobody_speaks_over_has_an_empty_caption_and_the_worst_scores() -> None:
    (found,) = pair(scenes_at(10, 20), transcript(said("before it all")), NO_GROWTH)
    assert (found.caption, found.words, found.no_speech_prob) == ("", (), 1.0)


def test_in_a_long_scene_each_sentence_goes_to_the_stretch_its_centre_lies_in() -> None:
    scene = Scene(start=0.0, end=12.0, frames=(key_frame(0, 6), key_frame(6, 12)))
    spoken = transcript(said("a b c d. e f g h i. j k l."))
    assert captions(Scenes(detector="made", scenes=(scene,)), spoken) == ["a b c d.", "e f g h i. j k l."]


def test_a_short_caption_grows_by_whole_sentences_to_eight_words() -> None:
    scene = Scene(start=0.0, end=14.0, frames=(key_frame(0, 3), key_frame(3, 14)))
    spoken = transcript(said("a b c. d e f g. h i j. k l m n."))
    first, second = captions(Scenes(detector="made", scenes=(scene,)), spoken, PairingConfig(min_words=8))
    assert first == "a b c. d e f g. h i j."
    assert second == "d e f g. h i j. k l m n."


def test_a_short_caption_does_not_grow_over_a_long_silence() -> None:
    scene = Scene(start=0.0, end=60.0, frames=(key_frame(0, 10), key_frame(10, 60)))
    spoken = transcript(said("right here."), said("much later on.", start=50.0))
    found = captions(Scenes(detector="made", scenes=(scene,)), spoken, PairingConfig())
    assert found == ["right here.", "much later on."]


def test_a_long_silence_ends_a_sentence_that_has_no_full_stop() -> None:
    scene = Scene(start=0.0, end=32.0, frames=(key_frame(0, 8), key_frame(8, 16), key_frame(16, 32)))
    spoken = transcript(said("one two three", start=1.0), said("four five six", start=25.0))
    found = captions(Scenes(detector="made", scenes=(scene,)), spoken)
    assert found == ["one two three", "", "four five six"]


def test_growth_never_crosses_a_cut() -> None:
    spoken = transcript(said("a b. c d e f g h i j."))
    assert captions(scenes_at(0, 2, 10), spoken, PairingConfig(min_words=8))[0] == "a b."


def test_a_long_caption_keeps_the_sentences_nearest_the_frame() -> None:
    spoken = transcript(said("a b c. d e f. g h i. j k l. m n o."))
    assert captions(scenes_at(0, 15), spoken, PairingConfig(min_words=1, max_words=9)) == ["d e f. g h i. j k l."]


def test_context_is_what_is_said_before_and_after_even_across_cuts() -> None:
    spoken = transcript(said("a b c d e f g h i"))
    config = PairingConfig(min_words=1, context_words=2)
    found = [*pair(scenes_at(0, 3, 6, 9), spoken, config)]
    assert [(one.context_before, one.context_after) for one in found] == [("", "d e"), ("b c", "g h"), ("e f", "")]


def test_scores_are_the_mean_and_the_worst_of_the_segments_heard() -> None:
    spoken = transcript(
        said("a b", avg_logprob=-0.1, no_speech_prob=0.2, compression_ratio=1.0),
        said("c d", start=2, avg_logprob=-0.5, no_speech_prob=0.4, compression_ratio=2.0),
    )
    (found,) = pair(scenes_at(0, 4), spoken, NO_GROWTH)
    assert (found.avg_logprob, found.no_speech_prob, found.compression_ratio) == (-0.3, 0.4, 2.0)


def test_words_without_a_blank_before_them_join_the_word_before() -> None:
    words = tuple(
        Word(text=text, start=float(place), end=place + 1.0, probability=1.0)
        for place, text in enumerate((" above", " 0", ".3", " long", "-term"))
    )
    segment = Segment(words=words, avg_logprob=0.0, no_speech_prob=0.0, compression_ratio=1.0)
    assert captions(scenes_at(0, 9), transcript(segment)) == ["above 0.3 long-term"]
