"""What `write_set` promises: same input, same bytes; whole or not at all; nobody else's files."""

import dataclasses
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shards.errors import CannotWrite
from shards.manifest import Manifest
from shards.reader import read_set, read_shard
from shards.sample import JSON_FIELDS, SCHEMA, Sample, json_values
from shards.split import SPLITS
from shards.validate import check_folder, validate
from shards.writer import SetFacts, write_set
from tests.shards.pictures import CAPTIONS, files, sample, samples, small_set, splits

REPOSITORY = Path(__file__).parents[2]


def breaking(message: str) -> Iterator[Sample]:
    """Nine samples, and then an error."""
    yield from samples(0, 9)
    raise OSError(message)


def test_equal_input_gives_equal_bytes_in_any_folder(tmp_path: Path) -> None:
    dropped = (json_values(sample(90)) | {"status": "too_short"},)
    facts = SetFacts(title="A", dropped=dropped, settings={"b": {"x": 1, "y": 2}, "a": [1]})
    same = SetFacts(title="A", dropped=dropped, settings={"a": [1], "b": {"y": 2, "x": 1}})
    small_set(tmp_path / "one", facts=facts)
    small_set(tmp_path / "deep" / "down" / "two", facts=same)
    assert files(tmp_path / "one") == files(tmp_path / "deep" / "down" / "two")


def test_the_order_in_which_fields_are_named_does_not_matter(tmp_path: Path) -> None:
    forward = sample(7)
    backward = {name: getattr(forward, name) for name in reversed([*JSON_FIELDS, "image"])}
    write_set(tmp_path / "a", {"train": [forward]})
    write_set(tmp_path / "b", {"train": [Sample(**backward)]})
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_whole_number_in_a_float_field_is_written_as_a_float(tmp_path: Path) -> None:
    write_set(tmp_path / "a", {"train": [sample(1, frame_time=2)]})
    write_set(tmp_path / "b", {"train": [sample(1, frame_time=2.0)]})
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_keys_are_unique_digits_and_members_of_a_sample_adjacent(tmp_path: Path) -> None:
    manifest = small_set(tmp_path / "set")
    names = []
    for shard in manifest.shards:
        with tarfile.open(tmp_path / "set" / shard.name) as archive:
            members = archive.getmembers()
        assert all(member.mtime == 0 and member.isreg() for member in members)
        assert len(members) == 3 * shard.samples
        names += [member.name for member in members]
    triples = [names[start : start + 3] for start in range(0, len(names), 3)]
    keys = [names_of_one[0].removesuffix(".jpg") for names_of_one in triples]
    assert triples == [[f"{key}.jpg", f"{key}.json", f"{key}.txt"] for key in keys]
    assert len(keys) == len(set(keys)) == 20
    assert all(key.isdigit() and len(key) == 9 for key in keys)


def test_samples_keep_their_order_and_all_they_hold(tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    for split, given in splits().items():
        read = [*read_set(tmp_path / "set", split)]
        assert [dataclasses.replace(one, key="", split="") for one in read] == list(given)
        assert {one.split for one in read} == {split}


def test_the_manifest_returned_is_the_manifest_written(tmp_path: Path) -> None:
    manifest = small_set(tmp_path / "set", facts=SetFacts(version="1.2", settings={"a": (1, 2)}))
    assert Manifest.load(tmp_path / "set") == manifest
    assert [shard.samples for shard in manifest.shards] == [4, 4, 4, 2, 4, 2]
    assert manifest.videos == {"train": 7, "val": 2, "test": 1}
    assert sum(manifest.samples(split) for split in SPLITS) == manifest.samples() == 20


def test_the_digest_names_samples_and_their_order(tmp_path: Path) -> None:
    digests = {
        write_set(tmp_path / "a", {"train": samples(0, 4)}).digest,
        write_set(tmp_path / "b", {"train": samples(0, 4)[::-1]}).digest,
        write_set(tmp_path / "c", {"train": samples(0, 3)}).digest,
    }
    again = write_set(tmp_path / "d", {"train": samples(0, 4)}, facts=SetFacts(title="Another title")).digest
    assert len(digests) == 3
    assert again in digests


def test_a_set_replaces_the_set_before_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    small_set(tmp_path / "set", samples_per_shard=1)
    small_set(tmp_path / "set", samples_per_shard=10)
    small_set(tmp_path / "fresh", samples_per_shard=10)
    assert files(tmp_path / "set") == files(tmp_path / "fresh")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "set"]


def test_of_a_link_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    small_set(tmp_path / "link")
    small_set(tmp_path / "link", samples_per_shard=5)
    assert (tmp_path / "link").is_symlink()
    assert Manifest.load(tmp_path / "disk").shards[0].samples == 5


def test_a_write_that_fails_leaves_the_old_set_whole(tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    before = files(tmp_path)
    with pytest.raises(OSError, match="is gone"):
        write_set(tmp_path / "set", {"train": breaking("the disk is gone")}, samples_per_shard=2)
    assert files(tmp_path) == before


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from shards.writer import write_set
from tests.shards.pictures import samples

def dying():
    yield from samples(0, 9)
    os.kill(os.getpid(), signal.SIGKILL)

write_set(Path(sys.argv[1]), {"train": dying()}, samples_per_shard=2)
"""

KILLED_BETWEEN_THE_RENAMES = """
import os, signal, sys
from pathlib import Path
from tests.shards.pictures import small_set

def die_at_the_second_rename(event, arguments):
    if event == "os.rename" and str(arguments[1]) == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die_at_the_second_rename)
small_set(Path(sys.argv[1]), samples_per_shard=2)
"""


def killed(program: str, out: Path) -> None:
    done = subprocess.run([sys.executable, "-c", program, str(out)], cwd=REPOSITORY, check=False)
    assert done.returncode == -9


def test_a_killed_writer_leaves_the_old_set_whole_and_the_next_one_clears_up(tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    before = files(tmp_path / "set")
    killed(KILLED_WRITER, tmp_path / "set")
    assert files(tmp_path / "set") == before
    assert len([*tmp_path.iterdir()]) == 2  # what the killed one had begun
    small_set(tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert files(tmp_path / "set") == before


def test_a_set_is_put_back_if_its_writer_was_killed_while_taking_its_place(tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    before = files(tmp_path / "set")
    killed(KILLED_BETWEEN_THE_RENAMES, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    with pytest.raises(OSError, match="no more"):
        write_set(tmp_path / "set", {"train": breaking("no more")})
    assert files(tmp_path) == {f"set/{name}": content for name, content in before.items()}


def test_a_living_writer_keeps_its_unfinished_folder(tmp_path: Path) -> None:
    def slow() -> Iterator[Sample]:
        yield from samples(0, 3)
        small_set(tmp_path / "set")  # somebody else, faster
        yield from samples(3, 3)

    write_set(tmp_path / "set", {"train": slow()}, samples_per_shard=2)
    assert Manifest.load(tmp_path / "set").samples() == 6
    assert check_folder(tmp_path / "set") == []
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    "content",
    [
        {"letters.txt": "dear"},
        {"manifest.json": '{"name": "a web page", "icons": []}'},
        {"manifest.json": "not JSON"},
        {"manifest.json": "[]"},
        {"train-00000.tar": "a tar without a manifest"},
    ],
)
def test_a_foreign_folder_is_refused_and_untouched(tmp_path: Path, content: dict[str, str]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for name, text in content.items():
        (home / name).write_text(text)
    before = files(tmp_path)
    with pytest.raises(CannotWrite, match=r"home.*--out"):
        small_set(home)
    assert files(tmp_path) == before


def test_a_file_or_a_set_with_something_of_ones_own_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    small_set(tmp_path / "set")
    (tmp_path / "set" / "notes.txt").write_text("mine")
    before = files(tmp_path)
    with pytest.raises(CannotWrite):
        small_set(tmp_path / "file")
    with pytest.raises(CannotWrite, match=r"notes\.txt"):
        small_set(tmp_path / "set")
    assert files(tmp_path) == before


def test_a_foreign_folder_is_refused_before_the_work_and_again_after_it(tmp_path: Path) -> None:
    def filling(folder: Path) -> Iterator[Sample]:
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")
        yield from samples(0, 3)

    with pytest.raises(CannotWrite):
        write_set(tmp_path / "set", {"train": filling(tmp_path / "set")})
    assert files(tmp_path) == {"set/mine.txt": b"mine"}
    with pytest.raises(CannotWrite):
        write_set(tmp_path / "set", {"train": breaking("work was begun in vain")})


def test_an_empty_folder_and_a_set_of_another_schema_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    small_set(tmp_path / "set")
    manifest = tmp_path / "set" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema": 2', '"schema": 99'))
    small_set(tmp_path / "set")
    assert Manifest.load(tmp_path / "set").schema == SCHEMA


@pytest.mark.parametrize("wrong", [0, -1, 10_001])
def test_a_shard_size_that_has_no_keys_is_refused(tmp_path: Path, wrong: int) -> None:
    with pytest.raises(ValueError, match=str(wrong)):
        small_set(tmp_path / "set", samples_per_shard=wrong)
    assert not [*tmp_path.iterdir()]


def test_samples_of_an_unknown_split_are_not_dropped_in_silence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="validation"):
        write_set(tmp_path / "set", {"validation": samples(0, 1)})  # type: ignore[dict-item]


def test_a_float_that_json_cannot_hold_is_refused_naming_the_video(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="video-1"):
        write_set(tmp_path / "set", {"train": [sample(2, sharpness=float("nan"))]})
    assert not [*tmp_path.iterdir()]


def test_half_a_surrogate_pair_in_a_title_does_not_stop_the_writing(tmp_path: Path) -> None:
    write_set(tmp_path / "set", {"train": [sample(0, title="cut \ud83d", caption="cut \ud83d")]})
    (read,) = read_set(tmp_path / "set", "train")
    assert (read.title, read.caption) == ("cut ?", "cut ?")


def test_a_set_written_is_sound_and_holds_hard_captions(tmp_path: Path) -> None:
    manifest = small_set(tmp_path / "set")
    assert [problems for _, problems in validate(tmp_path / "set")] == [[]] * len(manifest.shards)
    assert check_folder(tmp_path / "set") == []
    raw = next(read_shard(tmp_path / "set" / manifest.shards[0].name))
    assert raw.members["txt"].decode() == f"{CAPTIONS[0]} 0"
    assert (tmp_path / "set").stat().st_mode & 0o055 == 0o055  # others may read it
