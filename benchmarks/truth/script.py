"""What is said: sentences about a subject, in the words of people who show things."""

import random
from collections.abc import Sequence

THINGS = (
    "kettle", "garden", "bicycle", "staircase", "workbench", "harbour", "kitchen", "lantern", "orchard", "violin",
    "bridge", "market", "window", "forest", "bakery", "carpet", "ladder", "engine", "mountain", "village",
    "teapot", "fountain", "basket", "railway", "castle", "pottery", "curtain", "saddle", "pumpkin", "compass",
    "library", "chimney", "blanket", "tractor", "mirror", "painting", "barrel", "meadow", "lighthouse", "cradle",
)  # fmt: skip
QUALITIES = (
    "old", "wooden", "bright", "narrow", "heavy", "painted", "quiet", "copper", "broken", "famous",
    "green", "little", "stone", "yellow", "modern", "dusty",
)  # fmt: skip
ABOUT = (
    "Here you can see the {thing}, just as we found it this morning.",
    "This is the {thing} that everybody has been asking about.",
    "Let us look a little closer at the {thing} in front of us.",
    "I always begin with the {thing}, because it is the hardest part.",
    "Notice how the light falls on the {thing} from the left side.",
    "The {thing} was built by two brothers almost a hundred years ago.",
    "You should never touch the {thing} without a pair of gloves.",
    "What I like about the {thing} is that it works every single time.",
)
MORE = (
    "It took us about three weeks to clean it and put it back together.",
    "Be careful with the edges, they are sharper than they look.",
    "If you have never tried this before, take your time and go slowly.",
    "My grandmother used to have one exactly like that in her house.",
    "You can buy everything you need for that in a small shop nearby.",
    "The colours come out much better when the weather is cloudy.",
    "Most people forget this part, and then they wonder what went wrong.",
    "We will come back to that question at the end of the video.",
    "Some of it had to be replaced, but most of it is still original.",
    "It looks simple, but there is a lot of work behind it.",
)
BEFORE = (
    "That {thing} a moment ago was really something special.",
    "Before we go on, remember the {thing} that I showed you just now.",
)
GERMAN = (
    "Hier sehen wir das alte Rathaus mit dem großen Turm.",
    "Der Weg führt durch den Wald bis hinunter zum Fluss.",
    "In diesem Garten wachsen im Sommer sehr viele Rosen.",
    "Die Brücke wurde vor mehr als hundert Jahren gebaut.",
    "Heute kochen wir zusammen eine einfache Suppe mit Gemüse.",
)
FRENCH = (
    "Voici la vieille maison où mon grand-père est né.",
    "Il faut couper les pommes de terre en petits morceaux.",
    "Le marché ouvre tous les matins à sept heures.",
    "Nous allons maintenant regarder le port de plus près.",
    "Cette rue est la plus ancienne de toute la ville.",
)


class Script:
    """Tells about one subject after another, no two of them with the same name."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._things = [f"{quality} {thing}" for quality in QUALITIES for thing in THINGS]
        self._random.shuffle(self._things)

    def subject(self) -> str:
        """The name of a new one."""
        return self._things.pop()

    def about(self, thing: str, *, sentences: int) -> list[str]:
        """The first of them names it."""
        first = self._random.choice(ABOUT).format(thing=thing)
        return [first, *self._random.sample(MORE, sentences - 1)]

    def back_to(self, thing: str) -> str:
        return self._random.choice(BEFORE).format(thing=thing)

    def lines_of(self, sentences: Sequence[str]) -> list[str]:
        """All of them, in an order of their own."""
        return self._random.sample(sentences, len(sentences))
