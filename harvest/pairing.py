"""The words said around a key frame: records in, candidate pairs out; no file is touched.

    scene   |----------------------------|            from cut to cut
    stretch |-------------|--------------|            one key frame each
    words   . aa bbb cc. dd ee ff. gg hh ii jj. kk    sentences, broken at the cuts
            '--- 1 -----'---- 2 ---------'            each sentence goes to the stretch its centre lies in

A word belongs to the scene its centre lies in, so nothing spoken over one picture is told of the next. Too
short a caption grows by whole sentences of the same scene. What is said beyond is context, kept apart.
"""

import dataclasses
import itertools
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import Field

from configs import Config
from harvest.records import KeyFrame, Scene, Scenes, Segment, Transcript, Word
from harvest.spelling import SpellingConfig, clean_text, spell

SENTENCE_END = re.compile(r"[.!?…。！？]['\")\]»”]*$")


class PairingConfig(Config):
    """How captions are cut out of speech."""

    min_words: int = Field(default=8, ge=1)  # a shorter caption grows within its scene (MERLOT Reserve: 8 tokens)
    max_words: int = Field(default=64, ge=1)  # a longer one keeps the sentences nearest the frame
    max_pause_s: float = Field(default=3.0, ge=0)  # a longer silence ends a sentence, and captions do not grow over it
    context_words: int = Field(default=24, ge=0)  # on each side
    spelling: SpellingConfig = SpellingConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A candidate sample: a key frame and the words said around it, perhaps none."""

    frame: KeyFrame
    scene_start: float
    scene_end: float
    words: tuple[Word, ...]
    context_before: str
    context_after: str
    avg_logprob: float  # mean over the words of their segments' values; 0 without words
    no_speech_prob: float  # worst of their segments; 1 without words
    compression_ratio: float  # worst of their segments; 0 without words
    segments: tuple[Segment, ...] = ()  # those that the words are of, whole
    language_prob: float = -1.0  # of the transcript
    caption: str = ""  # the words in writing


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A word with its place in the transcript and the segment whose scores it shares."""

    place: int
    word: Word
    segment: Segment

    @property
    def centre(self) -> float:
        return (self.word.start + self.word.end) / 2


Sentence = Sequence[_Spoken]


def pair(scenes: Scenes, transcript: Transcript, config: PairingConfig) -> Iterator[Pair]:
    """One candidate for each key frame of a video, in the order of time."""
    segmented = ((word, segment) for segment in transcript.segments for word in segment.words)
    spoken = [_Spoken(place, word, segment) for place, (word, segment) in enumerate(segmented)]
    in_time = sorted(spoken, key=lambda item: item.centre)
    centres = [item.centre for item in in_time]
    for scene in scenes.scenes:
        inside = in_time[bisect_left(centres, scene.start) : bisect_left(centres, scene.end)]
        heard = sorted(inside, key=lambda item: item.place)
        for candidate in _pair_scene(scene, _sentences(heard, config.max_pause_s), spoken, config):
            caption = spell(text_of(candidate.words), transcript.language, config.spelling)
            yield dataclasses.replace(candidate, caption=caption, language_prob=transcript.language_prob)


def text_of(words: Sequence[Word]) -> str:
    """Words as a person would write them in a line; each brings the blank before it, where its language has any."""
    return clean_text("".join([word.text for word in words]))


def _pair_scene(
    scene: Scene, sentences: Sequence[Sentence], spoken: Sequence[_Spoken], config: PairingConfig
) -> Iterator[Pair]:
    owners = [_owner(scene, sentence) for sentence in sentences]
    for number, frame in enumerate(scene.frames):
        own = [place for place, owner in enumerate(owners) if owner == number]
        chosen = _fit(own, sentences, frame, config)
        heard = [item for place in chosen for item in sentences[place]]
        yield _make_pair(scene, frame, heard, spoken, config)


def _sentences(heard: Sequence[_Spoken], max_pause_s: float) -> list[Sentence]:
    """The words up to each full stop or long silence."""
    sentences: list[list[_Spoken]] = []
    ended = True
    for item in heard:
        if ended or _pause(sentences[-1], [item]) > max_pause_s:
            sentences.append([])
        sentences[-1].append(item)
        ended = SENTENCE_END.search(item.word.text) is not None
    return [*sentences]


def _owner(scene: Scene, sentence: Sentence) -> int:
    """The number of the key frame in whose stretch the sentence's centre lies."""
    centre = (sentence[0].word.start + sentence[-1].word.end) / 2
    inside = [number for number, frame in enumerate(scene.frames) if centre < frame.end]
    return inside[0] if inside else len(scene.frames) - 1


def _fit(own: Sequence[int], sentences: Sequence[Sentence], frame: KeyFrame, config: PairingConfig) -> range:
    """The run of sentences, by their places, that makes the caption: grown if too short, narrowed if too long."""
    run = range(own[0], own[-1] + 1) if own else range(0)
    while run and _words(run, sentences) < config.min_words:
        grown = _grown(run, sentences, config.max_pause_s)
        if grown == run:
            break
        run = grown
    while len(run) > 1 and _words(run, sentences) > config.max_words:
        first_is_farther = _distance(sentences[run[0]], frame) > _distance(sentences[run[-1]], frame)
        run = run[1:] if first_is_farther else run[:-1]
    return run


def _words(run: range, sentences: Sequence[Sentence]) -> int:
    return sum(len(sentences[place]) for place in run)


def _grown(run: range, sentences: Sequence[Sentence], max_pause_s: float) -> range:
    """The run with the next sentence, or else the one before, unless a long silence lies between."""
    after, before = run.stop, run.start - 1
    if after < len(sentences) and _pause(sentences[after - 1], sentences[after]) <= max_pause_s:
        return range(run.start, after + 1)
    if before >= 0 and _pause(sentences[before], sentences[before + 1]) <= max_pause_s:
        return range(before, run.stop)
    return run


def _pause(earlier: Sentence, later: Sentence) -> float:
    return later[0].word.start - earlier[-1].word.end


def _distance(sentence: Sentence, frame: KeyFrame) -> float:
    """Seconds from the frame to the nearest word of the sentence."""
    return max(sentence[0].word.start - frame.time, frame.time - sentence[-1].word.end, 0.0)


def _make_pair(
    scene: Scene, frame: KeyFrame, heard: Sequence[_Spoken], spoken: Sequence[_Spoken], config: PairingConfig
) -> Pair:
    heard = heard[: config.max_words]  # a single endless sentence
    segments = [item.segment for item in heard]
    before = spoken[: heard[0].place] if heard else ()
    after = spoken[heard[-1].place + 1 :] if heard else ()
    nearest = itertools.islice(reversed(before), config.context_words)
    return Pair(
        frame=frame,
        scene_start=scene.start,
        scene_end=scene.end,
        words=tuple(item.word for item in heard),
        context_before=text_of([item.word for item in reversed([*nearest])]),
        context_after=text_of([item.word for item in after[: config.context_words]]),
        avg_logprob=sum(segment.avg_logprob for segment in segments) / len(segments) if segments else 0.0,
        no_speech_prob=max((segment.no_speech_prob for segment in segments), default=1.0),
        compression_ratio=max((segment.compression_ratio for segment in segments), default=0.0),
        segments=tuple({id(segment): segment for segment in segments}.values()),
    )
