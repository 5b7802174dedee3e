"""Time from opening the data at a position to its first batch: `python -m benchmarks.bench_resume [--json FILE]`.

The set has 10,000 shards; each is a link to one tar, so the disk holds little, and any of them can be read. A position
is a share of the epoch. If what lies before a position had to be read, the last would take thousands of times the
first.
"""

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.photos import caption, write_photos
from shards.manifest import MANIFEST_NAME, Manifest
from train.data.collate import Collate
from train.data.config import DataConfig
from train.data.loader import load
from train.data.order import Position
from train.data.sets import training
from train.data.source import open_source
from train.data.tokenizer import TokenizerConfig, train_word_pieces

SHARES = (0.0, 0.5, 0.999)  # of the epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=100, help="in each shard")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="bench-resume-") as folder:
        write_linked_set(Path(folder), asked.shards, samples=asked.samples)
        seconds = _seconds(Path(folder), asked.rounds)
    print(f"{asked.shards} shards of {asked.samples} samples, a batch of 64, no workers\n")
    print("| position in the epoch | seconds to the first batch | against the beginning |\n|---|---|---|")
    for share, took in zip(SHARES, seconds, strict=True):
        print(f"| {100 * share:g} % | {took:.2f} | {took / seconds[0]:.2f} |")
    figures = {f"seconds_at_{100 * share:g}": took for share, took in zip(SHARES, seconds, strict=True)}
    figures["ratio_last_to_first"] = seconds[-1] / seconds[0]
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def write_linked_set(folder: Path, shards: int, *, samples: int) -> None:
    """A set of so many shards that are all the same file."""
    write_photos(folder, samples, samples_per_shard=samples)
    manifest = Manifest.load(folder)
    (first,) = manifest.shards
    entries = [dataclasses.replace(first, name=f"train-{number:05d}.tar") for number in range(shards)]
    for entry in entries[1:]:
        (folder / entry.name).symlink_to(first.name)
    whole = dataclasses.replace(manifest, shards=(*entries,), files={})
    (folder / MANIFEST_NAME).write_text(whole.to_json(), encoding="utf-8")


def _seconds(folder: Path, rounds: int) -> Sequence[float]:
    """For each of the shares: the median of the rounds, in which they take turns."""
    config = DataConfig(batch_size=64, shards_per_group=16)
    tokenizer = train_word_pieces(TokenizerConfig(), [caption(number) for number in range(100)])
    collate = Collate(config=config, tokenizer=tokenizer, seed=0, training=True)
    took: list[list[float]] = [[] for _ in SHARES]
    for _ in range(rounds + 1):
        for share, found in zip(SHARES, took, strict=True):
            start = time.perf_counter()
            source = open_source(str(folder))
            position = Position(ordinal=int(share * source.samples("train")) // 64 * 64)
            batches = load(training([source], config, seed=0, positions=[position]), collate, workers=0)
            assert len(next(batches).keys) == 64
            found.append(time.perf_counter() - start)
            batches.close()
    return [statistics.median(found[1:]) for found in took]  # the first round warms up


if __name__ == "__main__":
    main()
