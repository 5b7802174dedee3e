"""NLVR2: is a sentence true of two photos? And NLVR, its forerunner with drawn boxes.

    ROOT/train.json  dev.json  test1.json      a JSON object a line
    ROOT/images/train/34/train-10171-0-img0.png   images/dev/dev-0-0-img0.png

The two photos are stored side by side as one picture, so a set stays what every reader of pairs knows, and nothing of
one sample can be lost; annotation = {"label": true or false, "identifier", "boxes": [left's, right's]} with boxes
[left, upper, right, lower] in pixels, by which an evaluation cuts them apart. NLVR's picture is one, in six orders.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from shards.sample import Kind
from shards.split import Split
from train.errors import LayoutError
from train.prepare.entry import Entry, Place
from train.prepare.files import expect_folder, first_file, inside, parse_json, read_lines

PARTS: dict[str, Split] = {"train": "train", "dev": "val", "test1": "test", "test": "test"}
LABELS = {"true": True, "false": False}
NLVR_ORDERS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    identifier: str  # "dev-850-0-1": pair 850-0, sentence 1; of NLVR "1572-0"
    sentence: str
    label: str
    directory: str | int = ""
    left_image: str = ""  # file names, in copies that name them
    right_image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nlvr2:
    """Sentences, true or false, about two photos."""

    root: Path
    images: Path | None = None  # None is ROOT/images, or ROOT

    name: ClassVar[str] = "nlvr2"
    title: ClassVar[str] = "NLVR2"
    origin: ClassVar[str] = (
        "Sentences that are true or false of the pictures, written and judged by people (NLVR2, NLVR)."
    )
    kind: ClassVar[Kind] = "pairs"
    language: ClassVar[str] = "en"
    caption_source: ClassVar[str] = "human"

    def entries(self) -> Iterator[Entry]:
        expect_folder(self.root, holds="train.json, dev.json or test1.json and the pictures of NLVR2")
        found = {part: first_file([self.root, self.root / "data"], f"{part}.json") for part in PARTS}
        if not any(found.values()):
            raise LayoutError(f"{self.root} holds neither train.json, dev.json nor test1.json of NLVR2.")
        for part, file in found.items():
            for number, line in read_lines(file, what="lines of NLVR2") if file else ():
                yield from self._of_line(part, f"{file}, line {number},", line, file or self.root)

    def _of_line(self, part: str, where: str, text: str, file: Path) -> Iterator[Entry]:
        line = parse_json(text.encode(), _Line, where=where, what="an example of NLVR2")
        if line.label.lower() not in LABELS:
            raise LayoutError(f"{where} has the label {line.label[:20]!r}: True or False is expected.")
        pair, _, sentence = line.identifier.rpartition("-")
        of_pair = line.identifier.count("-") >= 3 or bool(line.left_image)
        names = _names(part, line)
        for number, group in enumerate(names):
            yield Entry(
                id=f"nlvr2-{pair}" if of_pair else f"nlvr-{part}-{line.identifier}",
                split=PARTS[part],
                caption=line.sentence,
                number=int(sentence) if of_pair and sentence.isdecimal() else number,
                pictures=tuple(Place(path=self._find(part, str(line.directory), name, file)) for name in group),
                annotation={"label": LABELS[line.label.lower()], "identifier": line.identifier},
                url=f"file:{group[0]}",
            )

    def _find(self, part: str, directory: str, name: str, file: Path) -> Path:
        folder = self.images or (self.root / "images" if (self.root / "images").is_dir() else self.root)
        tried = [f"{part}/{directory}/{name}", f"{part}/{name}", f"{part}/images/{directory}/{name}"]
        places = [inside(folder, one, named_in=file) for one in (*tried, f"{directory}/{name}", name) if one[0] != "/"]
        return next((place for place in places if place.is_file()), places[0])


def _names(part: str, line: _Line) -> list[tuple[str, ...]]:
    """The pictures' file names of each sample that a line becomes."""
    if line.left_image:
        return [(line.left_image, line.right_image)]
    if line.identifier.count("-") >= 3:
        pair = line.identifier.rpartition("-")[0]
        return [(f"{pair}-img0.png", f"{pair}-img1.png")]
    return [(f"{part}-{line.identifier}-{order}.png",) for order in range(NLVR_ORDERS)]
