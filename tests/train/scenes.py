"""Shard sets of drawn scenes for the tests: two coloured shapes in a relation, and a sentence that says so."""

import io
import random
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from PIL import Image

from shards.manifest import Manifest
from shards.sample import Sample
from shards.split import Split
from shards.writer import write_set
from tests.makers.drawing import COLOURS, RELATIONS, SHAPES, Fact, Thing, draw_fact


def write_scenes(
    folder: Path, *, train: int, val: int = 0, test: int = 0, samples_per_shard: int = 100, seed: int = 0
) -> Manifest:
    """A set whose test and val scenes show pairs of things that no training scene shows together."""
    seen, unseen = _facts(random.Random(seed))
    counts: dict[Split, int] = {"val": val, "test": test}
    splits: dict[Split, Iterator[Sample]] = {"train": _samples(_take(seen, train), first=0)}
    for number, (split, count) in enumerate(counts.items()):
        start = sum([*counts.values()][:number])
        splits[split] = _samples(unseen[start : start + count], first=train + start)
    return write_set(folder, splits, samples_per_shard=samples_per_shard)


def _facts(order: random.Random) -> tuple[list[Fact], list[Fact]]:
    things = [Thing(colour=colour, shape=shape) for colour, shape in product(COLOURS, SHAPES)]
    pairs = [(first, second) for first, second in product(things, things) if first != second]
    held_out = {frozenset(pair) for pair in order.sample(sorted(pairs, key=str), k=200)}
    facts = [Fact(first=a, relation=relation, second=b) for a, b in pairs for relation in RELATIONS]
    order.shuffle(facts)
    seen = [fact for fact in facts if frozenset((fact.first, fact.second)) not in held_out]
    unseen = [fact for fact in facts if frozenset((fact.first, fact.second)) in held_out]
    return seen, unseen


def _take(facts: Sequence[Fact], count: int) -> Iterator[Fact]:
    for number in range(count):
        yield facts[number % len(facts)]


def _samples(facts: Sequence[Fact] | Iterator[Fact], *, first: int) -> Iterator[Sample]:
    for number, fact in enumerate(facts, start=first):
        yield Sample.make(
            image=jpeg_of(fact, seed=number), caption=fact.sentence, video_id=f"drawn-{number}", width=320, height=240
        )


def jpeg_of(fact: Fact, *, seed: int) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(draw_fact(fact, seed=seed, background=seed)).save(stored, "JPEG", quality=85)
    return stored.getvalue()
