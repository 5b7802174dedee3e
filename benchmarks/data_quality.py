"""How good the pairs are: cuts, words, pairing, duplicates, inventions and losses, against films of known truth.

    python -m benchmarks.data_quality [--json FILE] [--only-ours] [--model FOLDER]

Our defaults stand beside what a person would otherwise do (benchmarks/truth/peers.py), all with the same weights of
Whisper. The films are made once, in data/truth; what the peers made of them is kept there too.
"""

import argparse
import hashlib
import json
import math
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.truth import peers
from benchmarks.truth.film import Film, write_film
from benchmarks.truth.measure import Heard, Made, MadePair, figures, judge
from benchmarks.truth.plans import films
from benchmarks.truth.weights import base_folder, openai_checkpoint
from harvest.folder import VideoFolder, begun_ids
from harvest.records import Scenes, Transcript, Video
from shards.reader import read_set
from shards.split import SPLITS

FOLDER = Path("data/truth")
OURS = "ours"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--only-ours", action="store_true", help="leave the peers out")
    parser.add_argument("--model", type=Path, help="Whisper's weights as CTranslate2 keeps them")
    parser.add_argument("--films", action="store_true", help="tell of each film")
    options = parser.parse_args()
    model = options.model or base_folder(FOLDER)
    planned = list(films(FOLDER))
    folder = FOLDER / _digest()
    media = _rendered(planned, folder / "films")
    made = {OURS: ours(media, folder, model)}
    if not options.only_ours:
        made |= others(media, folder, model)
    found = {name: figures(planned, results) for name, results in made.items()}
    print(_table(found))
    if options.films:
        print(_by_film(planned, made[OURS]))
    if options.json:
        options.json.write_text(json.dumps(_flat(found), indent=1) + "\n", encoding="utf-8")
    return 0


def ours(media: dict[str, Path], folder: Path, model: Path) -> dict[str, Made]:
    """What the two commands make of the films, with their defaults."""
    work, shards = folder / "work", folder / "shards"
    for left in (work, shards):
        shutil.rmtree(left, ignore_errors=True)
    films_folder = str(next(iter(media.values())).parent)
    _run("collect", "--playlist", films_folder, "--work", work, "--set", f"transcribe.model={model}", allowed=(0, 1))
    _run("shard", "--work", work, "--out", shards)
    pairs: dict[str, list[MadePair]] = {name: [] for name in media}
    made: dict[str, Made] = {}
    ids = {}
    for identity in begun_ids(work):
        video = VideoFolder(work, identity)
        name = Path(video.load(Video).media).stem
        ids[identity] = name
        words = video.load(Transcript).segments if video.fingerprint(Transcript) else ()
        scenes = video.load(Scenes).scenes if video.fingerprint(Scenes) else ()
        made[name] = Made(
            cuts=tuple(scene.start for scene in scenes[1:]),
            words=tuple(Heard(text=w.text, start=w.start, end=w.end) for segment in words for w in segment.words),
            pairs=(),
        )
    for sample in (sample for split in SPLITS for sample in read_set(shards, split)):
        pairs[ids[sample.video_id]].append(
            MadePair(time=sample.frame_time, caption=sample.caption, start=sample.speech_start, end=sample.speech_end)
        )
    return {name: Made(cuts=one.cuts, words=one.words, pairs=tuple(pairs[name])) for name, one in made.items()}


def others(media: dict[str, Path], folder: Path, model: Path) -> dict[str, dict[str, Made]]:
    kept = folder / "peers"
    kept.mkdir(exist_ok=True)
    files = [*media.values()]
    told = peers.whisper_command(files, openai_checkpoint(model, FOLDER), kept)
    batched = peers.faster_whisper_batched(files, model)
    return {
        "pyscenedetect": {name: peers.pyscenedetect(file, told[name], kept) for name, file in media.items()},
        "fixed": {name: peers.fixed_windows(file, told[name]) for name, file in media.items()},
        "video2dataset": {name: peers.video2dataset(file, batched[name]) for name, file in media.items()},
    }


def _rendered(planned: list[Film], folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    media = {film.name: folder / f"{film.name}.{'mp4' if film.codec == 'h264' else 'webm'}" for film in planned}
    wanted = [film for film in planned if not media[film.name].is_file()]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for done in pool.map(_render, wanted, [media[film.name] for film in wanted]):
            print(f"made {done}", flush=True)
    return media


def _render(film: Film, path: Path) -> str:
    partial = path.with_name(f".{path.name}")
    write_film(partial, film)
    partial.replace(path)
    return film.name


def _digest() -> str:
    """Of the code that makes the films."""
    digest = hashlib.sha256()
    for name in ("voices", "sounds", "scenery", "script", "film", "plans"):
        digest.update((Path(__file__).parent / "truth" / f"{name}.py").read_bytes())
    return digest.hexdigest()[:8]


def _run(*words: str | Path, allowed: tuple[int, ...] = (0,)) -> None:
    command = [str(Path(sys.executable).with_name("harvest")), *map(str, words)]
    ended = subprocess.run(command, check=False)
    if ended.returncode not in allowed:
        raise SystemExit(f"{command} ended with exit code {ended.returncode}.")


def _table(found: dict[str, dict[str, float]]) -> str:
    names = [*found[OURS]]
    head = "figure".ljust(26) + "".join(who.rjust(16) for who in found)
    rows = (
        name.ljust(26) + "".join(f"{values.get(name, math.nan):16.4f}" for values in found.values()) for name in names
    )
    return "\n".join([head, *rows])


def _by_film(planned: list[Film], made: dict[str, Made]) -> str:
    """The figures of each film, and its pairs that are not right."""
    rows = []
    for film in planned:
        one = figures([film], {film.name: made[film.name]})
        rows.append(f"{film.name:22}" + " ".join(f"{name[:14]}={value:.3f}" for name, value in one.items()))
        for item in judge(film, made[film.name]):
            if not item.right:
                fault = "invented" if item.hallucinated else "wrong"
                rows.append(f"    {item.pair.time:6.2f} {item.shown} {fault}: {item.pair.caption}")
    return "\n".join(rows)


def _flat(found: dict[str, dict[str, float]]) -> dict[str, float]:
    flat = {}
    for who, values in found.items():
        for name, value in values.items():
            if not math.isnan(value):
                flat[name if who == OURS else f"baseline.{who}.{name}"] = round(value, 5)
    return flat


if __name__ == "__main__":
    sys.exit(main())
