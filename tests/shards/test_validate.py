"""What `validate` and `check_folder` find, each damage by its own sentence."""

import dataclasses
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shards.errors import NotAShardSet, UnknownSchema
from shards.manifest import Manifest
from shards.sample import Sample
from shards.split import Split
from shards.validate import check_folder, validate
from shards.writer import write_set
from tests.shards.pictures import picture, sample, samples, small_set


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "set"
    small_set(folder)
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A set to be damaged."""
    return Path(shutil.copytree(sound, tmp_path / "set"))


def problems_of(folder: Path) -> dict[str, list[str]]:
    return {shard.name: found for shard, found in validate(folder)}


def all_problems(folder: Path) -> list[str]:
    return [*check_folder(folder), *(problem for found in problems_of(folder).values() for problem in found)]


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def written(folder: Path, *train: Sample, **others: list[Sample]) -> list[str]:
    """All problems of a set of these samples: the writer takes what it is given."""
    splits: dict[Split, list[Sample]] = {"train": [*train]}
    splits.update(others)  # type: ignore[arg-type]
    write_set(folder / "made", splits)
    return all_problems(folder / "made")


def places(path: Path) -> Iterator[tuple[str, int]]:
    """A byte in each kind of place there is in a tar."""
    with tarfile.open(path) as archive:
        for member in archive.getmembers()[:3]:
            ending = member.name.rpartition(".")[2]
            yield f"name of {ending}", member.offset + 3
            yield f"header of {ending}", member.offset + 130
            yield f"owner in the header of {ending}", member.offset + 270
            yield f"first of {ending}", member.offset_data
            yield f"middle of {ending}", member.offset_data + member.size // 2
            yield f"last of {ending}", member.offset_data + member.size - 1
            yield f"padding of {ending}", member.offset_data + member.size
        yield "end", path.stat().st_size - 1


def test_a_sound_set_has_no_problems(sound: Path) -> None:
    assert all_problems(sound) == []
    assert len(problems_of(sound)) == 6


def test_a_flipped_byte_is_found_wherever_it_is(folder: Path) -> None:
    path = folder / "train-00001.tar"
    whole = path.read_bytes()
    for kind, place in places(path):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x04]) + whole[place + 1 :])
        found = problems_of(folder)
        assert any("SHA-256" in problem and path.name in problem for problem in found.pop(path.name)), kind
        assert not any(found.values()), kind


def test_a_torn_shard_is_found_by_size_digest_and_count(folder: Path) -> None:
    path = folder / "train-00001.tar"
    path.write_bytes(path.read_bytes()[:3000])
    text = " ".join(problems_of(folder)[path.name])
    assert "3000 bytes" in text
    assert "SHA-256" in text
    assert "torn" in text
    assert "the manifest says 4" in text


def test_a_missing_shard_is_found(folder: Path) -> None:
    (folder / "val-00004.tar").unlink()
    assert problems_of(folder)["val-00004.tar"] == ["val-00004.tar is missing."]


def test_a_shard_nobody_listed_is_found(folder: Path) -> None:
    shutil.copy(folder / "val-00004.tar", folder / "val-00009.tar")
    assert check_folder(folder) == ["val-00009.tar is not in the manifest."]


@pytest.mark.parametrize(("name", "value"), [("samples", 5), ("samples", 0), ("bytes", 7), ("sha256", "0" * 64)])
def test_a_manifest_that_miscounts_is_found(folder: Path, name: str, value: Any) -> None:
    edit_manifest(folder, lambda values: values["shards"][2].update({name: value}))
    found = problems_of(folder)
    assert len(found.pop("train-00002.tar")) == 1
    assert not any(found.values())


def test_a_manifest_that_miscounts_videos_is_found(folder: Path) -> None:
    edit_manifest(folder, lambda values: values["videos"].update(train=8))
    assert any("videos" in problem for problem in check_folder(folder))


SIDE_FILES = ["sizes.json", "index.json", "README.md", "_meta/00002.parquet", "_meta/00002_stats.json"]


@pytest.mark.parametrize("name", [*SIDE_FILES, "_meta/dropped.parquet"])
def test_a_side_file_that_is_missing_or_damaged_is_found(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 0x04]) + whole[middle + 1 :]
    for content in (b"", b"[]", b"{}", b"PAR1" * 10, flipped):
        (folder / name).write_bytes(content)
        assert any(name in problem and "SHA-256" in problem for problem in check_folder(folder)), content
    (folder / name).unlink()
    assert f"{name} is missing." in check_folder(folder)


def test_side_files_of_another_set_are_found(folder: Path, tmp_path: Path) -> None:
    write_set(tmp_path / "other", {"train": samples(0, 3)})
    for name in ("sizes.json", "index.json"):
        shutil.copy(tmp_path / "other" / name, folder / name)
    shutil.copy(tmp_path / "other" / "_meta" / "00000.parquet", folder / "_meta" / "00001.parquet")
    text = " ".join(check_folder(folder))
    assert all(word in text for word in ("sizes.json", "open_clip", "index.json", "wids", "00001.parquet has 3 rows"))


def test_one_video_in_two_splits_is_found(tmp_path: Path) -> None:
    found = written(tmp_path, sample(0), test=[sample(1)])
    assert len(found) == 1
    assert "'video-0' is in several splits (test, train)" in found[0]


def test_a_picture_that_cannot_be_decoded_is_found(tmp_path: Path) -> None:
    whole, png = picture(0), io.BytesIO()
    Image.new("RGB", (24, 16)).save(png, "PNG")
    for image in (whole[: len(whole) // 2], whole[:-10], b"\xff\xd8" + b"a" * 300, b"text", png.getvalue()):
        (found,) = written(tmp_path, sample(0, image=image))
        assert "000000000: the picture cannot be decoded" in found


def test_a_picture_of_damaged_bytes_never_stops_the_check(tmp_path: Path) -> None:
    """Whatever the decoder makes of it, the check ends and says something only of the picture."""
    whole = picture(0)
    damaged = [
        sample(place, image=whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        for place in range(len(whole))
    ]
    assert all("picture" in problem for problem in written(tmp_path, *damaged))


def test_a_picture_other_than_its_record_says_is_found(tmp_path: Path) -> None:
    (found,) = written(tmp_path, sample(0, sha256=hashlib.sha256(picture(1)).hexdigest()))
    assert "SHA-256 is not the one in its record" in found
    (found,) = written(tmp_path, sample(0, width=25))
    assert "its record says 25 x 16" in found


def test_a_picture_too_large_to_decode_is_not_decoded(tmp_path: Path) -> None:
    """A JPEG's header names its size; nothing of that size need follow."""
    small = picture(0)
    start = small.index(b"\xff\xc0") + 5  # start of frame: length (2), precision (1), then height and width
    for side in (9000, 12_000, 65_000):
        size = side.to_bytes(2, "big") * 2
        bomb = small[:start] + size + small[start + 4 :]
        (found,) = written(tmp_path, sample(0, image=bomb, width=side, height=side))
        assert "over the limit" in found or "exceeds limit" in found


def test_an_empty_caption_is_found(tmp_path: Path) -> None:
    (found,) = written(tmp_path, sample(0, caption=" \n"))
    assert "empty caption" in found


def rewritten(folder: Path, name: str, change: Callable[[str, bytes], tuple[str, bytes]]) -> list[str]:
    """The problems once `change` was made to all members, and the manifest told of the new bytes."""
    path = folder / name
    with tarfile.open(path) as archive:
        members = [(one, archive.extractfile(one).read()) for one in archive.getmembers()]  # type: ignore[union-attr]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for member, content in members:
            new_name, new_content = change(member.name, content)
            member.name, member.size = new_name, len(new_content)
            archive.addfile(member, io.BytesIO(new_content))
    entry = {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    edit_manifest(folder, lambda values: [one.update(entry) for one in values["shards"] if one["name"] == name])
    return problems_of(folder)[name]


def test_a_key_that_occurs_twice_in_the_set_is_found(folder: Path) -> None:
    def as_first_shard(name: str, content: bytes) -> tuple[str, bytes]:
        new = name.replace("00001", "00000", 1)
        return new, content.replace(b'"key":"00001', b'"key":"00000') if name.endswith("json") else content

    found = rewritten(folder, "train-00001.tar", as_first_shard)
    assert len(found) == 4
    assert all("the key occurs twice in the set" in problem for problem in found)


def test_a_record_of_another_split_is_found(folder: Path) -> None:
    found = rewritten(folder, "train-00001.tar", lambda name, content: (name, content.replace(b'"train"', b'"val"')))
    assert len(found) == 4
    assert all("belongs to split 'val'" in problem for problem in found)


def test_every_bad_record_of_a_shard_is_told_not_the_first_alone(folder: Path) -> None:
    found = rewritten(
        folder, "train-00001.tar", lambda name, content: (name, b"{" if name.endswith("json") else content)
    )
    assert len(found) == 4
    assert all("JSON" in problem and "0000100" in problem for problem in found)


def test_without_a_manifest_there_is_nothing_to_check_against(folder: Path, tmp_path: Path) -> None:
    edit_manifest(folder, lambda values: values.update(schema=7))
    with pytest.raises(UnknownSchema):
        all_problems(folder)
    with pytest.raises(NotAShardSet):
        all_problems(tmp_path / "nothing")


def test_checking_changes_nothing_about_a_loaded_manifest(sound: Path) -> None:
    before = Manifest.load(sound)
    all_problems(sound)
    assert dataclasses.asdict(Manifest.load(sound)) == dataclasses.asdict(before)
