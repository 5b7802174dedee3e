"""How fast pictures come out of loaders, on one core: `python -m benchmarks.bench_loader [--json FILE]`.

Ours, open_clip's, Hugging Face datasets' and litdata's read the same JPEGs and captions; the bound is the decoding
alone, of bytes that are in memory, by our decoder with its scaling. A pass goes from the call that makes a loader
iterate to its last batch, in rounds in turn; the medians of the rounds count. All is pinned to one core, and what is
counted is that core's time, of worker processes too, so that others on the machine weigh little.
"""

import argparse
import gc
import json
import multiprocessing
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import cast

import psutil
import torch

from benchmarks import loader_peers
from benchmarks.loader_peers import BATCH, Job, Pass
from benchmarks.photos import caption, write_photos
from train.data.collate import Collate
from train.data.config import DataConfig
from train.data.loader import load
from train.data.order import Position
from train.data.sets import training
from train.data.source import open_source
from train.data.tokenizer import Pieces, Tokenizer, TokenizerConfig, train_word_pieces
from train.data.transforms import evaluation_pixels

BOUND, OURS = "decoding alone", "ours"
CONTENDERS: dict[str, Callable[[Job], Pass]] = {
    "open_clip": loader_peers.open_clip,
    "datasets": loader_peers.hugging_face,
    "datasets, our decoder": partial(loader_peers.hugging_face, our_decoder=True),
    "litdata": loader_peers.litdata,
    "litdata, our decoder": partial(loader_peers.litdata, our_decoder=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--samples", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1], help="worker processes")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 64], help="sides of the square, in pixels")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = train_word_pieces(TokenizerConfig(), [caption(number) for number in range(500)])
    with tempfile.TemporaryDirectory(prefix="bench-loader-") as folder:
        shards = Path(folder) / "shards"
        pictures = write_photos(shards, asked.samples)
        loader_peers.prepare(shards)
        multiprocessing.set_start_method("fork", force=True)  # litdata has set another, which open_clip cannot use
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        gc.freeze()  # what is loaded by now is no loader's to look through
        print(f"{asked.samples} JPEGs of {sum(map(len, pictures)) / len(pictures) / 1000:.0f} kB, one core")
        figures: dict[str, float | None] = {}
        for side in asked.sizes:
            for workers, words in product(asked.workers, (tokenizer, None)):
                job = Job(
                    folder=shards,
                    samples=asked.samples,
                    config=DataConfig(image_size=side, batch_size=BATCH),
                    tokenizer=words,
                    workers=workers,
                )
                figures |= _measured(job, pictures, rounds=asked.rounds)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _measured(job: Job, pictures: list[bytes], *, rounds: int) -> dict[str, float | None]:
    """Prints a table; returns its figures, None for a contender that is not installed."""
    passes: dict[str, Pass] = {BOUND: partial(_decode, job, pictures), OURS: partial(_ours, job)}
    missing = {}
    for name, make in CONTENDERS.items():
        try:
            passes[name] = make(job)
        except ImportError as error:
            missing[name] = str(error)
    speeds = _speeds(passes, job.samples, rounds)
    medians = {name: statistics.median(rounds_of) for name, rounds_of in speeds.items()}
    against = {name: _ratio(rounds_of, [speeds[BOUND]]) for name, rounds_of in speeds.items()}
    peers = [name for name in speeds if name in CONTENDERS]
    as_they_come = [name for name in peers if "our decoder" not in name]
    title = (
        f"{job.config.image_size} px, workers={job.workers}, {'captions encoded' if job.tokenizer else 'no captions'}"
    )
    print(f"\n{title}\n\n| loader | images/s | against decoding alone |\n|---|---|---|")
    for name, speed in sorted(medians.items(), key=lambda pair: -pair[1]):
        print(f"| {name} | {speed:.0f} | {against[name]:.2f} |")
    for name, why in missing.items():
        print(f"| {name} | not installed: {why} | |")
    prefix = f"{job.config.image_size}.workers{job.workers}.{'captions' if job.tokenizer else 'images'}"
    figures: dict[str, float | None] = {
        f"{prefix}.images_per_second.{name}": medians.get(name) for name in (BOUND, OURS, *CONTENDERS)
    }
    ratios = {
        "ratio_to_decode_limit": against[OURS],
        "ratio_to_best_peer": _ratio(speeds[OURS], [speeds[name] for name in as_they_come]),
        "ratio_to_best_peer_with_our_decoder": _ratio(speeds[OURS], [speeds[name] for name in peers]),
    }
    for name, ratio in ratios.items():
        print(f"{name}: {'no peer here' if ratio is None else f'{ratio:.2f}'}")
    figures |= {f"{prefix}.{name}": ratio for name, ratio in ratios.items()}
    return figures


def _speeds(passes: dict[str, Pass], samples: int, rounds: int) -> dict[str, list[float]]:
    """Images a second, in each round."""
    found: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(rounds):
        for name, run in passes.items():
            start = _core_seconds()
            seen = run()
            found[name].append(seen / (_core_seconds() - start))
            assert seen >= samples * 0.9, f"{name} gave {seen} of {samples} images"  # some drop the last batch
    return found


def _core_seconds() -> float:
    """Used by this process and by its workers, be they ended or, as open_clip's, kept for the next pass."""
    this = psutil.Process()
    times = [this.cpu_times(), *(child.cpu_times() for child in this.children(recursive=True))]
    return sum(time.user + time.system for time in times) + times[0].children_user + times[0].children_system


def _ratio(ours: list[float], others: list[list[float]]) -> float | None:
    """To the best of the others, round by round, as what else the machine does changes from round to round."""
    if not others:
        return None
    best: list[float] = [max(rivals) for rivals in zip(*others, strict=True)]
    return statistics.median(speed / rival for speed, rival in zip(ours, best, strict=True))


def _decode(job: Job, pictures: list[bytes]) -> int:
    return sum(evaluation_pixels(picture, job.config) is not None for picture in pictures)


def _ours(job: Job) -> int:
    source = open_source(str(job.folder), cache=job.folder.with_name("indexes"))  # made in the first round
    reading = training([source], job.config, seed=3, positions=[Position()])
    collate = Collate(config=job.config, tokenizer=job.tokenizer or _WORDLESS, seed=3, training=True)
    one_epoch = replace(reading, endless=False)  # else a worker would begin with the next
    return sum(len(batch.images_BCSS) for batch in load(one_epoch, collate, workers=job.workers))


class _Wordless:
    """In place of a tokenizer, where captions are to be left alone."""

    def encode(self, captions: Sequence[str], length: int) -> Pieces:
        empty = torch.zeros((len(captions), length), dtype=torch.bool)
        return Pieces(tokens_BL=empty.long(), real_BL=empty, begins_BL=empty)


_WORDLESS = cast(Tokenizer, _Wordless())


if __name__ == "__main__":
    main()
