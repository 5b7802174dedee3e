"""A manifest read from a stranger: absent, foreign, damaged or hostile."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shards.errors import CorruptShard, NotAShardSet, UnknownSchema
from shards.manifest import Manifest
from tests.shards.pictures import small_set


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("good") / "set"
    small_set(folder)
    values: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return values


def load(folder: Path, content: Any) -> Manifest:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "manifest.json").write_bytes(text)
    return Manifest.load(folder)


def test_a_folder_that_is_no_set_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(NotAShardSet, match=rf"no folder.*{place.name}.*harvest shard"):
            Manifest.load(place)
    with pytest.raises(NotAShardSet, match=r"no manifest\.json.*harvest shard"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xff", b"[" * 100_000, b"[]", b"null", b'"a"', b"{}"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorruptShard, match=r"manifest\.json"):
        load(tmp_path, content)


def test_somebody_elses_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptShard, match="not a manifest"):
        load(tmp_path, {"name": "A web page", "start_url": ".", "icons": []})


@pytest.mark.parametrize("schema", [0, 3, "1", None, [1], {"a": 1}, True])
def test_another_schema_is_named_with_the_one_that_is_read(tmp_path: Path, good: dict[str, Any], schema: Any) -> None:
    with pytest.raises(UnknownSchema, match="reads 1 to 2"):
        load(tmp_path, good | {"schema": schema})


HOSTILE_NAMES = [
    "../x.tar",
    "/etc/x.tar",
    "a/b.tar",
    "..",
    "",
    ".tar",
    "x.zip",
    "pipe:touch x.tar",
    "a\x1b[2J.tar",
    "a\n.tar",
    "a\x00.tar",
    "a\\..\\b.tar",
    "[red].tar",
    "train-00000.tar/",
    "х.tar",  # a Cyrillic letter
]

WRONG_ENTRIES: dict[str, list[Any]] = {
    "name": [*HOSTILE_NAMES, 5, None, ["x.tar"]],
    "split": ["validation", "", None, 1, ["train"], {"a": "b"}],
    "samples": [-1, 1.0, "4", None, True],
    "bytes": [-1, 1.5, "4", None, False],
    "sha256": [None, 5, ["a"]],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG_ENTRIES for value in WRONG_ENTRIES[name]])
def test_a_shard_that_cannot_be_is_refused(tmp_path: Path, good: dict[str, Any], name: str, value: Any) -> None:
    first, *others = good["shards"]
    with pytest.raises(CorruptShard) as refusal:
        load(tmp_path, good | {"shards": [first | {name: value}, *others]})
    assert str(refusal.value).isprintable()


CHANGES: list[Callable[[dict[str, Any]], object]] = [
    lambda values: values.pop("shards"),
    lambda values: values.pop("files"),
    lambda values: values.update(files=["README.md"]),
    lambda values: values.update(files={"README.md": 5}),
    lambda values: values.update(files={"../README.md": "0" * 64}),
    lambda values: values.update(files={"/etc/hosts.json": "0" * 64}),
    lambda values: values.update(files={"_meta/../../a.json": "0" * 64}),
    lambda values: values.update(shards=5),
    lambda values: values.update(shards={"a": 1}),
    lambda values: values.update(shards=[[]]),
    lambda values: values.update(shards=["train-00000.tar"]),
    lambda values: values["shards"][0].pop("sha256"),
    lambda values: values["shards"][0].update(extra=1),
    lambda values: values.update(extra=1),
    lambda values: values.update(shards=values["shards"] * 2),
    lambda values: values.update(videos=[1]),
    lambda values: values.update(videos={"train": "7"}),
    lambda values: values.update(dropped=None),
    lambda values: values.update(dropped={"too_short": 1.5}),
    lambda values: values.update(settings=[]),
    lambda values: values.update(version=1),
    lambda values: values.update(kind="videos"),
    lambda values: values.update(kind=["pairs"]),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_manifest_of_the_wrong_shape_is_refused(
    tmp_path: Path, good: dict[str, Any], change: Callable[[dict[str, Any]], object]
) -> None:
    values = json.loads(json.dumps(good))
    change(values)
    with pytest.raises(CorruptShard, match=r"manifest\.json"):
        load(tmp_path, values)


def test_a_good_manifest_is_read_whole(tmp_path: Path, good: dict[str, Any]) -> None:
    manifest = load(tmp_path, good)
    assert json.loads(manifest.to_json()) == good
    assert [shard.name for shard in manifest.of_split("val")] == ["val-00004.tar"]
    assert manifest.samples("train") == 14
