"""The films of the truth set: each asks for one thing that real videos do.

A reel is filled shot by shot, what is said deciding how long a shot lasts; a negative lead or tail lets the voice run
over the cut.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.truth.film import Entrance, Film, Line, Motion, Shot
from benchmarks.truth.scenery import CANVAS, Picture, scenery, slide
from benchmarks.truth.script import FRENCH, GERMAN, Script
from benchmarks.truth.sounds import music, noise
from benchmarks.truth.voices import Language, Utterance, people, pico, piper

PAUSE_S = 0.35  # between two sentences
BLACK: Picture = np.zeros((CANVAS[1], CANVAS[0], 3), np.uint8)

Voice = Callable[[str], Utterance]


def films(folder: Path) -> Iterator[Film]:
    """All of them; recordings that they need are kept in `folder`."""
    for number, (make, options) in enumerate(_plans(folder), start=1):
        reel = _Reel(number)
        make(reel, **options)
        yield reel.film(f"{number:02d}-{make.__name__.strip('_')}")


def _plans(folder: Path) -> list[tuple[Callable[..., None], dict[str, Any]]]:
    cut_kinds: list[dict[str, Any]] = [
        {"lead": 0.6, "tail": 0.8},
        {"lead": 0.15, "tail": 0.2},
        {"lead": 1.5, "tail": 2.0, "motion": "pan"},
        {"lead": 0.3, "tail": 0.4, "motion": "busy"},
        {"lead": 0.5, "tail": 0.3, "motion": "shake"},
        {"lead": 0.3, "tail": 0.8, "motion": "zoom"},
    ]
    return [
        *((_hard, options) for options in cut_kinds),
        (_hard, {"lead": 0.5, "tail": 0.5, "one_room": True}),
        (_hard, {"lead": 0.4, "tail": 0.5, "one_room": True, "motion": "busy"}),
        *((_gradual, {"entrance": "dissolve", "transition": seconds}) for seconds in (0.5, 0.8, 1.2)),
        *((_gradual, {"entrance": "fade", "transition": seconds}) for seconds in (0.6, 1.0, 1.6)),
        (_gradual, {"entrance": "dissolve", "transition": 1.0, "motion": "pan"}),
        (_flashes, {}),
        (_flashes, {"motion": "busy"}),
        (_slides, {}),
        (_slides, {"sentences": 7}),
        (_long_shots, {}),
        (_repeated, {}),
        (_repeated, {"motion": "busy"}),
        (_montage, {}),
        (_leader, {}),
        (_letterbox, {}),
        (_over_the_cut, {"lead": -0.3, "tail": -0.2}),
        (_over_the_cut, {"lead": -0.8, "tail": 0.3}),
        (_over_the_cut, {"lead": 0.3, "tail": -0.9}),
        (_looks_back, {}),
        (_odd_rate, {"codec": "h264"}),
        (_odd_rate, {"codec": "vp9"}),
        (_with_background, {"sound": music, "loudness": 0.12}),
        (_with_background, {"sound": noise, "loudness": 0.12}),
        (_between_music, {"sound": music}),
        (_between_music, {"sound": noise}),
        (_silent, {"sound": None}),
        (_silent, {"sound": music}),
        (_silent, {"sound": noise}),
        (_read, {"folder": folder}),
        (_foreign, {"language": "de-DE", "sentences": GERMAN}),
        (_foreign, {"language": "fr-FR", "sentences": FRENCH}),
    ]


class _Reel:
    """A film that is being put together."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.script = Script(number)
        self.voice = self._a_voice(number)
        self.extra: dict[str, Any] = {}
        self._number = number
        self._shots: list[Shot] = []
        self._lines: list[Line] = []
        self._clock = 0.0

    def film(self, name: str) -> Film:
        shots, lines = tuple(self._shots), tuple(self._lines)
        return Film(name=name, shots=shots, lines=lines, seed=self._number, **self.extra)

    def new_view(self) -> int:
        return 100 * self._number + len({shot.view for shot in self._shots})

    def canvas(self, view: int, *, one_room: bool = False) -> Picture:
        return scenery(view, self._number if one_room else -1)

    def tell(self, sentences: Sequence[str | Utterance], *, view: int, about: int | None = None, lead: float = 0.5,
             tail: float = 0.6, picture: Picture | None = None, motion: Motion = "still",
             entrance: Entrance = "cut", transition: float = 0.8, flashes: int = 0) -> None:  # fmt: skip
        """One more shot, over which the sentences are said."""
        start = self._clock
        time = start + lead
        for sentence in sentences:
            spoken = self.voice(sentence) if isinstance(sentence, str) else sentence
            self._lines.append(Line(utterance=spoken, start=max(0.0, time), about=view if about is None else about))
            time = self._lines[-1].start + spoken.seconds + PAUSE_S
        self.show(
            time - PAUSE_S + tail - start,
            view=view,
            picture=picture,
            motion=motion,
            entrance=entrance,
            transition=transition,
            flashes=flashes,
        )

    def show(self, seconds: float, *, view: int, picture: Picture | None = None, motion: Motion = "still",
             entrance: Entrance = "cut", transition: float = 0.8, flashes: int = 0) -> None:  # fmt: skip
        """One more shot, with nobody speaking."""
        times = sorted(self.random.uniform(0.8, seconds - 0.8) for _ in range(flashes))
        self._shots.append(
            Shot(
                picture=self.canvas(view) if picture is None else picture,
                view=view,
                seconds=seconds,
                entrance=entrance,
                transition=transition,
                motion=motion,
                flashes=tuple(times),
            )
        )
        self._clock += round(seconds * 25) / 25

    def _a_voice(self, number: int) -> Voice:
        if number % 4 == 1:
            return lambda text: pico(text, language="en-US")
        if number % 4 == 3:
            return lambda text: pico(text, language="en-GB")
        pace = (0.9, 1.0, 1.15)[number % 3]
        return lambda text: piper(text, pace=pace)


def _hard(reel: _Reel, *, one_room: bool = False, **options: Any) -> None:
    for _ in range(7):
        view = reel.new_view()
        sentences = reel.script.about(reel.script.subject(), sentences=reel.random.choice((1, 1, 2)))
        reel.tell(sentences, view=view, picture=reel.canvas(view, one_room=one_room), **options)


def _gradual(reel: _Reel, *, entrance: Entrance, transition: float, motion: Motion = "still") -> None:
    for _ in range(7):
        sentences = reel.script.about(reel.script.subject(), sentences=reel.random.choice((1, 1, 2)))
        reel.tell(
            sentences, view=reel.new_view(), entrance=entrance, transition=transition, motion=motion, lead=0.7, tail=0.7
        )


def _flashes(reel: _Reel, *, motion: Motion = "still") -> None:
    for _ in range(6):
        sentences = reel.script.about(reel.script.subject(), sentences=1)
        reel.tell(sentences, view=reel.new_view(), motion=motion, flashes=reel.random.choice((1, 2, 3)), tail=1.0)


def _slides(reel: _Reel, *, sentences: int = 4) -> None:
    """A page stays while much is said."""
    for _ in range(3):
        view, subject = reel.new_view(), reel.script.subject()
        page = slide(view, (f"The {subject}", "what it is for", "how to clean it", "what it costs"))
        reel.tell(reel.script.about(subject, sentences=sentences), view=view, picture=page)


def _long_shots(reel: _Reel) -> None:
    """The camera moves far while much is said: one shot, several pictures."""
    for _ in range(2):
        reel.tell(reel.script.about(reel.script.subject(), sentences=7), view=reel.new_view(), motion="pan")


def _repeated(reel: _Reel, *, motion: Motion = "still") -> None:
    """The same two shots in turn, as of a conversation, and something new between."""
    views: list[int] = []
    for number in range(8):
        if number < 2 or number % 3 == 2:
            views.append(reel.new_view())
        view = views[-1] if number < 2 or number % 3 == 2 else views[number % 2]
        reel.tell(reel.script.about(reel.script.subject(), sentences=1), view=view, motion=motion)


def _montage(reel: _Reel) -> None:
    """Many short shots to music, then somebody speaks."""
    for _ in range(2):
        for _ in range(9):
            reel.show(reel.random.uniform(0.8, 1.8), view=reel.new_view())
        reel.tell(reel.script.about(reel.script.subject(), sentences=2), view=reel.new_view())
    reel.extra["background"] = 0.08 * music(20, seed=1)


def _leader(reel: _Reel) -> None:
    """Black before, between and after."""
    reel.show(2.0, view=-1, picture=BLACK)
    for number in range(5):
        reel.tell(reel.script.about(reel.script.subject(), sentences=1), view=reel.new_view())
        if number == 2:
            reel.tell(reel.script.about(reel.script.subject(), sentences=1), view=-1, picture=BLACK)
    reel.show(4.0, view=-1, picture=BLACK, entrance="fade")


def _letterbox(reel: _Reel) -> None:
    _hard(reel, lead=0.5, tail=0.7, motion="pan")
    reel.extra["bars"] = 0.25


def _over_the_cut(reel: _Reel, *, lead: float, tail: float) -> None:
    for number in range(7):
        sentences = reel.script.about(reel.script.subject(), sentences=2)
        reel.tell(sentences, view=reel.new_view(), lead=lead if number else 0.5, tail=tail if number < 6 else 0.5)


def _looks_back(reel: _Reel) -> None:
    """Now and then the speaker tells of what was shown before."""
    last: tuple[int, str] = (-1, "")
    for number in range(8):
        view, subject = reel.new_view(), reel.script.subject()
        if number % 4 == 3:
            reel.tell([reel.script.back_to(last[1])], view=view, about=last[0])
        else:
            reel.tell(reel.script.about(subject, sentences=1), view=view)
        last = (view, subject)


def _odd_rate(reel: _Reel, *, codec: str) -> None:
    _hard(reel, lead=0.5, tail=0.6)
    reel.extra |= {"variable_rate": True, "codec": codec}


def _with_background(reel: _Reel, *, sound: Callable[..., Any], loudness: float) -> None:
    _hard(reel, lead=0.5, tail=0.6)
    reel.extra["background"] = loudness * sound(30, seed=reel.random.randrange(100))


def _between_music(reel: _Reel, *, sound: Callable[..., Any]) -> None:
    """Speech, then long stretches with nobody speaking: where Whisper invents."""
    for _ in range(3):
        reel.tell(reel.script.about(reel.script.subject(), sentences=2), view=reel.new_view())
        reel.show(7.0, view=reel.new_view())
        reel.show(6.0, view=reel.new_view())
    reel.extra["background"] = 0.1 * sound(30, seed=reel.random.randrange(100))


def _silent(reel: _Reel, *, sound: Callable[..., Any] | None) -> None:
    """Nobody speaks at all."""
    for _ in range(5):
        reel.show(5.0, view=reel.new_view())
    if sound:
        reel.extra["background"] = 0.3 * sound(25, seed=reel.random.randrange(100))


def _read(reel: _Reel, *, folder: Path) -> None:
    """Real speech."""
    for utterance in people(folder):
        reel.tell([utterance], view=reel.new_view())


def _foreign(reel: _Reel, *, language: Language, sentences: Sequence[str]) -> None:
    for sentence in reel.script.lines_of(sentences):
        reel.tell([pico(sentence, language=language)], view=reel.new_view())
    reel.extra["language"] = language[:2]
