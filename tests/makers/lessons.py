"""A small world to learn from: narrated lessons about pairs of coloured shapes, each in its own video.

The pairs of things that the test videos show are shown in no other video, in neither order, though every colour,
shape and relation is; and no two scenes of the test videos show the same pair. So retrieval there asks for things
put together anew, and every caption means one picture.
"""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shards.split import Split
from tests.makers.drawing import BACKGROUNDS, COLOURS, RELATIONS, SHAPES, Fact, Thing, draw_fact, draw_title
from tests.makers.speech import say
from tests.makers.timeline import Entrance, Scene, Truth, VideoStyle
from tests.makers.video import write_video

Pair = tuple[Thing, Thing]

VIDEOS: Mapping[Split, int] = {"train": 38, "val": 4, "test": 6}
FACTS = 16  # in a lesson
FADES = 2  # of its changes of scene; the others are hard cuts
TITLE_SECONDS = 1.5
SHAPES_SHOWN = SHAPES[:4]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    number: int
    split: Split
    facts: tuple[Fact, ...]
    entrances: tuple[Entrance, ...]  # of each fact's scene

    @property
    def title(self) -> str:
        return f"Lesson {self.number}"

    @property
    def file(self) -> str:
        return f"lesson-{self.number:02d}.mp4"


def plan_lessons(*, seed: int = 0, videos: Mapping[Split, int] = VIDEOS, facts: int = FACTS) -> tuple[Lesson, ...]:
    """Who shows what, in which split."""
    draw = random.Random(seed)
    things = [Thing(colour=colour, shape=shape) for colour in COLOURS for shape in SHAPES_SHOWN]
    pairs = list(itertools.combinations(things, 2))
    draw.shuffle(pairs)
    held_out = videos["test"] * facts
    assert held_out < len(pairs), "the test videos must leave pairs to learn from"
    new, familiar = iter(pairs[:held_out]), _endlessly(pairs[held_out:], draw)
    splits = [split for split, count in videos.items() for _ in range(count)]
    draw.shuffle(splits)
    return tuple(
        _plan_lesson(number, split, itertools.islice(new if split == "test" else familiar, facts), draw)
        for number, split in enumerate(splits, start=1)
    )


def make_lesson(lesson: Lesson, folder: Path) -> Truth:
    """Render the lesson's video into `folder`."""
    draw = random.Random(lesson.number)
    scenes = [Scene(picture=draw_title(lesson.title, seed=lesson.number), seconds=TITLE_SECONDS)]
    background = 0
    for index, (fact, entrance) in enumerate(zip(lesson.facts, lesson.entrances, strict=True)):
        background += draw.randrange(1, len(BACKGROUNDS))  # never the one before: a cut must be seen
        picture = draw_fact(fact, seed=100 * lesson.number + index, background=background)
        scenes.append(Scene(picture=picture, speech=say(fact.phrases), entrance=entrance))
    return write_video(folder / lesson.file, scenes, VideoStyle(seed=lesson.number))


def _endlessly(pairs: Sequence[Pair], draw: random.Random) -> Iterator[Pair]:
    while True:
        yield from draw.sample(pairs, len(pairs))


def _plan_lesson(number: int, split: Split, pairs: Iterator[Pair], draw: random.Random) -> Lesson:
    facts = []
    for pair in pairs:
        first, second = draw.sample(pair, 2)
        facts.append(Fact(first=first, relation=draw.choice(list(RELATIONS)), second=second))
    entrances: list[Entrance] = ["cut"] * len(facts)
    for index in draw.sample(range(1, len(facts)), min(FADES, len(facts) - 1)):
        entrances[index] = "fade"
    return Lesson(number=number, split=split, facts=tuple(facts), entrances=tuple(entrances))
