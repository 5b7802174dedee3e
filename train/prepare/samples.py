"""Entries to samples: pictures are read one by one as the writer asks; what cannot be stored becomes a dropped row."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shards.sample import Kind, Sample, json_values
from shards.split import SPLITS, Split
from train.errors import LayoutError
from train.prepare.entry import Entry
from train.prepare.pictures import Picture, Unusable
from train.prepare.plan import Plan
from train.prepare.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What all samples of a set have in common."""

    kind: Kind
    common: Mapping[str, Any]  # fields of a sample


class Samples:
    """The samples of a plan. `dropped` and `doubled` are whole once the last split has been read."""

    def __init__(self, plan: Plan, recipe: Recipe, store: Store) -> None:
        self._plan = plan
        self._recipe = recipe
        self._store = store
        self._trained: set[str] = set()  # SHA-256 of the training pictures
        self._kept = 0
        self.dropped = [self._row(entry, entry.unfit) for entry in plan.unfit]
        self.doubled: Counter[Split] = Counter()  # samples of val and test whose very picture is in train

    def of(self, split: Split) -> Iterator[Sample]:
        """The samples of one split; splits are to be read in their order.

        Raises LayoutError at the end of the last if all were dropped: no empty set takes the place of another.
        """
        entries = self._plan.splits[split]
        uses = Counter(entry.pictures for entry in entries)
        for entry in entries:
            uses[entry.pictures] -= 1
            try:
                again = uses[entry.pictures] > 0
                picture = self._store.picture(entry.pictures, again=again) if entry.pictures else None
            except Unusable as error:
                self.dropped.append(self._row(entry, error.reason))
                continue
            self._kept += 1
            self._compare(split, picture)
            yield self._sample(entry, picture)
        if split == SPLITS[-1] and not self._kept:
            raise LayoutError(self._nothing_kept())

    def _compare(self, split: Split, picture: Picture | None) -> None:
        if picture is None:
            return
        if split == "train":
            self._trained.add(picture.sha256)
        elif picture.sha256 in self._trained:
            self.doubled[split] += 1

    def _sample(self, entry: Entry, picture: Picture | None) -> Sample:
        known = {"url": entry.url, "license": entry.license, **self._recipe.common}
        annotation = {**entry.annotation}
        if picture is not None:
            known |= {"width": picture.width, "height": picture.height, "sha256": picture.sha256}
            annotation |= {"boxes": picture.boxes} if picture.boxes else {}
        return Sample.make(
            image=picture.jpeg if picture else b"",
            caption="" if self._recipe.kind == "images" else entry.caption,
            video_id=entry.id,
            annotation=json.dumps(annotation, ensure_ascii=False) if annotation else "",
            **known,
        )

    def _row(self, entry: Entry, reason: str) -> dict[str, Any]:
        return json_values(self._sample(entry, None)) | {"split": entry.split or "", "status": reason}

    def _nothing_kept(self) -> str:
        counts = Counter(str(row["status"]) for row in self.dropped)
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
        return (
            f"None of the {len(self.dropped)} samples can be kept: {reasons}, beginning with "
            f"{self.dropped[0]['url']}. Look whether the pictures lie where the layout expects them."
        )
