"""The main job from end to end, each command shown before it runs: python -m scripts.demo [URLS.TXT]

    made videos (or one's own playlist) -> harvest collect -> harvest shard -> train pretrain -> train eval

The cuts and words of videos made here are known, so the end tells how many of them were found.
"""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from harvest.ytdlp import is_url
from scripts.demo_report import Found, compare, show_found, show_where
from scripts.demo_run import training_options
from tests.makers.course import MadeLesson, course_digest, kept_course, links, make_course
from tests.makers.lessons import plan_lessons
from tests.makers.server import HOST, MediaServer

USAGE = """Usage: scripts/demo [URLS.TXT]

Runs the four commands of the main job. Without an argument they work on narrated videos that are made here and
served on a port of this machine (DEMO_PORT, usually 18765); with one, on your own playlist.
"""
DEFAULT_PORT = 18765
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
SOME_FAILED = 1  # what `harvest collect` ends with when single videos could not be had


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things lie."""

    data: Path
    run: Path

    @property
    def playlist(self) -> Path:
        return self.data / "urls.txt"

    @property
    def work(self) -> Path:
        return self.data / "work"

    @property
    def shards(self) -> Path:
        return self.data / "shards"

    @property
    def media(self) -> Path:
        return self.data / "media"


class StopDemo(Exception):
    """Ends the demo with an exit code, after a sentence if there is one."""

    def __init__(self, code: int, sentence: str = "") -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(slots=True)
class Steps:
    """Runs the steps one after the other and keeps the time of each."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, *words: str | Path, allowed: Sequence[int] = (0,)) -> int:
        """Run one of the project's commands as a person would; any other exit code than `allowed` ends the demo."""
        command = [str(word) for word in words]
        name = " ".join(command[:2])
        self.console.rule(f"[bold]{name}", align="left")
        self.console.print("$ " + " ".join(command), style="bold", markup=False, highlight=False, soft_wrap=True)
        start = time.monotonic()
        code = _ended([Path(sys.executable).with_name(command[0]), *command[1:]])
        self.seconds[name] = time.monotonic() - start
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code not in allowed:
            raise StopDemo(
                code if code > 0 else SOME_FAILED, f"{name!r} ended with exit code {code}, so the demo stops."
            )
        return code


def main() -> int:
    console = Console(highlight=False)
    arguments = sys.argv[1:]
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        console.print(USAGE, markup=False, soft_wrap=True)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        return on_own_playlist(arguments[0], Steps(console)) if arguments else on_made_videos(Steps(console))
    except StopDemo as stop:
        console.print(str(stop), style="red", soft_wrap=True)
        return stop.code
    except OSError as error:  # a full disk, or the port taken while the videos were made
        console.print(f"The demo stops: {error}", style="red", soft_wrap=True)
        return SOME_FAILED
    except KeyboardInterrupt:
        console.print("Interrupted. Whole steps are kept: run scripts/demo again to go on.")
        return INTERRUPTED


def on_made_videos(steps: Steps) -> int:
    places = Places(data=Path("data/demo"), run=Path("runs/demo"))
    port = _free_port()
    made = _videos(places.media, steps)
    with _server(made, places.media, port) as server:
        _write_playlist(server.playlist_url, places, steps)
        private = ("--set", "source.allow_private=true")  # the server is on this machine
        steps.run("harvest", "collect", "--playlist", places.playlist, "--work", places.work, *private)
        urls = [server.url(name) for name in server.links]
    _shard_and_train(places, steps)
    found = compare([each.truth for each in made], urls, places.work)
    _show_end(places, steps, found)
    return 0


def on_own_playlist(playlist: str, steps: Steps) -> int:
    whole = playlist if is_url(playlist) else str(Path(playlist).resolve())
    mark = hashlib.sha256(whole.encode()).hexdigest()[:6]  # two lists of one name in different places are two
    name = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', Path(playlist).stem).strip('-') or 'playlist'}-{mark}"
    places = Places(data=Path("data/my") / name, run=Path("runs") / f"my-{name}")
    code = steps.run("harvest", "collect", "--playlist", playlist, "--work", places.work, allowed=(0, SOME_FAILED))
    _shard_and_train(places, steps)
    _show_end(places, steps, None)
    return code


def _ended(command: Sequence[str | Path]) -> int:
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # Ctrl-C reached it as well; it may be saving what it has
            raise


def _videos(folder: Path, steps: Steps) -> tuple[MadeLesson, ...]:
    lessons = plan_lessons()
    kept = kept_course(folder, lessons)
    if kept is not None:
        steps.console.print(f"The {len(kept)} videos made before are used again: {folder}")
        return kept
    start = time.monotonic()
    made = track(make_course(folder, lessons), "Making videos", total=len(lessons), console=steps.console)
    videos = tuple(made)
    steps.seconds["making videos"] = time.monotonic() - start
    minutes = sum(video.truth.seconds for video in videos) / 60
    steps.console.print(f"{len(videos)} narrated videos, {minutes:.0f} minutes: {folder}")
    return videos


def _free_port() -> int:
    text = os.environ.get("DEMO_PORT", str(DEFAULT_PORT))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise StopDemo(2, f"DEMO_PORT={text} is not a port: give a number from 1024 to 65535.")
    try:
        socket.create_server((HOST, int(text))).close()
    except OSError as error:
        raise StopDemo(
            2,
            f"Port {text} cannot be used to serve the demo's videos ({error.strerror}): "
            "choose another one, for example DEMO_PORT=18800 scripts/demo.",
        ) from None
    return int(text)


def _server(made: Sequence[MadeLesson], folder: Path, port: int) -> MediaServer:
    # The list's address names the videos' content: what was harvested from others must not be taken for theirs.
    playlist = f"lessons-{course_digest([each.lesson for each in made])[:8]}.xml"
    return MediaServer(links(made, folder, port=port), port=port, title="Shapes", playlist=playlist)


def _write_playlist(url: str, places: Places, steps: Steps) -> None:
    line = f"{url}\n"
    if places.work.exists() and not (places.playlist.is_file() and places.playlist.read_text(encoding="utf-8") == line):
        steps.console.print(f"What was harvested from other videos, or from another port, is removed: {places.work}")
        shutil.rmtree(places.work)
    places.playlist.write_text(line, encoding="utf-8")


def _shard_and_train(places: Places, steps: Steps) -> None:
    steps.run("harvest", "shard", "--work", places.work, "--out", places.shards)
    options, sentence = training_options(places.run, places.shards)
    if sentence:
        steps.console.print(sentence, soft_wrap=True)
    steps.run("train", "pretrain", "--shards", places.shards, "--out", places.run, *options)
    steps.run("train", "eval", "--task", "retrieval", "--checkpoint", places.run)


def _show_end(places: Places, steps: Steps, found: Found | None) -> None:
    steps.console.rule("[bold]In the end", align="left")
    if found is not None:
        show_found(found, steps.console)
    show_where(places.work, places.shards, places.run, steps.console)
    total = sum(steps.seconds.values())
    times = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in steps.seconds.items())
    steps.console.print(f"Time: {times}; {total:.0f} s together.", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
