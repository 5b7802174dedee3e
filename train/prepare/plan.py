"""From a layout's entries to what is to be written: the split of each, their order, and what is left out at once."""

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Literal

from shards.sample import Kind
from shards.split import SPLITS, Split, split_of
from train.errors import LayoutError
from train.prepare.entry import Entry, Layout

MAX_CAPTION_BYTES = 128 << 10  # a tar's json member holds the text too, and every control sign there takes six bytes

BySplit = Literal["hash", "train", "val", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The entries of each split in the order in which they are written, and those that cannot be samples."""

    splits: dict[Split, list[Entry]]
    unfit: list[Entry]

    @property
    def total(self) -> int:
        return sum(map(len, self.splits.values()))


def plan(layout: Layout, unsplit: BySplit = "hash") -> Plan:
    """`unsplit` is the split of what the layout gives none; a hash of its id shares it out 80 : 10 : 10.

    Raises LayoutError if nothing is found, or one id in two splits: a test on what was trained on tells nothing.
    """
    made = Plan(splits={split: [] for split in SPLITS}, unfit=[])
    split_by_id: dict[str, Split] = {}
    for found in layout.entries():
        entry = _placed(found, unsplit)
        assert entry.split is not None
        if entry.unfit or (reason := _unfit(entry, layout.kind)):
            made.unfit.append(entry if entry.unfit else dataclasses.replace(entry, unfit=reason))
            continue
        if split_by_id.setdefault(entry.id, entry.split) != entry.split:
            raise LayoutError(
                f"{entry.id} is both in {split_by_id[entry.id]} and in {entry.split}, and a model would be tested on "
                "what it was trained on: mend the lists of splits."
            )
        made.splits[entry.split].append(entry)
    if not made.total:
        raise LayoutError(
            f"Nothing to prepare was found{_reasons(made.unfit)}: look at what the layout expects with --help."
        )
    for entries in made.splits.values():
        entries.sort(key=_order)
    return made


def _placed(entry: Entry, unsplit: BySplit) -> Entry:
    name = entry.id.encode(errors="replace").decode()  # file names may hold what UTF-8 cannot
    split = entry.split or (split_of(name) if unsplit == "hash" else unsplit)
    return dataclasses.replace(entry, id=name, split=split, caption=entry.caption.strip())


def _unfit(entry: Entry, kind: Kind) -> str:
    if kind != "images" and not entry.caption:
        return "no_caption"
    return "too_long" if len(entry.caption.encode(errors="replace")) > MAX_CAPTION_BYTES else ""


def _order(entry: Entry) -> bytes:
    """A hash, so that neighbours are unrelated."""
    return hashlib.sha256(f"{entry.id}@{entry.number}".encode()).digest()


def _reasons(unfit: list[Entry]) -> str:
    counts = {reason: sum(entry.unfit == reason for entry in unfit) for reason in sorted({one.unfit for one in unfit})}
    return f" ({', '.join(f'{count} {reason}' for reason, count in counts.items())})" if counts else ""
