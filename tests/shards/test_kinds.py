"""Sets of pictures without text and of texts without picture, and sets that an earlier version wrote."""

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from shards.codec import RawSample, decode, encode
from shards.errors import CorruptShard
from shards.manifest import Manifest
from shards.reader import read_set
from shards.sample import SCHEMA, Kind
from shards.validate import check_folder, validate
from shards.writer import SetFacts, write_set
from tests.shards.pictures import lone, sample, small_set

LONE: list[Kind] = ["images", "texts"]


def all_problems(folder: Path) -> list[str]:
    return [*check_folder(folder), *(problem for _, found in validate(folder) for problem in found)]


def as_kind(folder: Path, kind: str) -> None:
    """Change what the manifest says of itself, and nothing else."""
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"kind": kind}))


@pytest.mark.parametrize("kind", LONE)
def test_a_set_of_one_modality_is_sound_and_read_back(tmp_path: Path, kind: Kind) -> None:
    given = lone(kind, 0, 5)
    written = write_set(tmp_path / "set", {"train": given}, samples_per_shard=2, facts=SetFacts(kind=kind))
    assert Manifest.load(tmp_path / "set") == written
    assert written.kind == kind
    assert all_problems(tmp_path / "set") == []
    read = [*read_set(tmp_path / "set", "train")]
    assert [dataclasses.replace(one, key="", split="") for one in read] == given


def test_a_sample_without_picture_has_no_jpg_member_and_one_without_text_an_empty_txt() -> None:
    (text,), (image,) = lone("texts", 0, 1), lone("images", 0, 1)
    assert [*encode(text).members] == ["json", "txt"]
    assert encode(image).members["txt"] == b""


def test_a_picture_that_was_lost_is_not_taken_for_a_text() -> None:
    raw = encode(sample(7, key="000000000"))
    members = {name: content for name, content in raw.members.items() if name != "jpg"}
    with pytest.raises(CorruptShard, match="has no jpg"):
        decode(RawSample(key=raw.key, members=members))


@pytest.mark.parametrize("kind", ["pairs", *LONE])
def test_a_sample_of_another_kind_is_not_written(tmp_path: Path, kind: Kind) -> None:
    for strange in ("pairs", *LONE):
        mixed = [sample(0)] if strange == "pairs" else lone("images" if strange == "images" else "texts", 0, 1)
        if strange != kind and not (kind == "pairs" and strange == "images"):
            with pytest.raises(ValueError, match="video-0"):
                write_set(tmp_path / "set", {"train": mixed}, facts=SetFacts(kind=kind))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("kind", "claimed", "problem"),
    [
        ("images", "pairs", "has an empty caption"),
        ("images", "texts", "has a picture in a set of texts"),
        ("texts", "pairs", "has no picture"),
        ("texts", "images", "has a caption in a set of images"),
    ],
)
def test_a_set_that_claims_another_kind_is_found(tmp_path: Path, kind: Kind, claimed: str, problem: str) -> None:
    write_set(tmp_path / "set", {"train": lone(kind, 0, 2)}, facts=SetFacts(kind=kind))
    as_kind(tmp_path / "set", claimed)
    assert sum(problem in found for found in all_problems(tmp_path / "set")) == 2


@pytest.mark.parametrize("kind", LONE)
def test_the_card_of_a_prepared_set_speaks_of_no_video(tmp_path: Path, kind: Kind) -> None:
    facts = SetFacts(kind=kind, title="Photos", origin="Drawn for a test.")
    write_set(tmp_path / "set", {"train": lone(kind, 0, 2)}, facts=facts)
    card = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    columns = [one["name"] for one in front["dataset_info"]["features"]]
    assert ("jpg" in columns) == (kind == "images")
    assert "Drawn for a test." in card
    assert "narrated" not in card


def test_a_set_of_schema_1_is_read_with_an_empty_annotation(tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    path = tmp_path / "set" / "manifest.json"
    values = json.loads(path.read_text()) | {"schema": 1}
    del values["kind"]
    path.write_text(json.dumps(values))
    assert Manifest.load(tmp_path / "set").kind == "pairs"

    raw = encode(sample(7, key="000000000"))
    record = json.loads(raw.members["json"]) | {"schema": 1}
    del record["annotation"]
    old = RawSample(key=raw.key, members={**raw.members, "json": json.dumps(record).encode()})
    assert (decode(old).annotation, decode(old).schema) == ("", SCHEMA)
