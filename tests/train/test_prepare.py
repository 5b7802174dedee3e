"""`train prepare`: official file layouts, drawn small, come back as sets that every reader takes."""

import gzip
import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from shards.manifest import Manifest
from shards.reader import read_set
from shards.sample import Sample
from shards.split import SPLITS
from shards.validate import check_folder, validate
from tests.train import layouts
from tests.train.small import SMALL_SETTINGS
from train.cli import main

Prepare = Callable[..., list[Sample]]


def exit_code(*words: str) -> int:
    """Run `train` as the installed command does."""
    before, sys.argv = sys.argv, ["train", *words]
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    finally:
        sys.argv = before
    raise AssertionError("a command ends by leaving")


@pytest.fixture
def prepare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Prepare:
    """Runs `train prepare` into tmp_path/set, which must be sound, and gives all samples, ordered by id and number."""

    def run(*words: object) -> list[Sample]:
        code = exit_code("prepare", *map(str, words), "--out", str(tmp_path / "set"))
        assert code == 0, capsys.readouterr().err
        problems = [problem for _, found in validate(tmp_path / "set") for problem in found]
        assert [*check_folder(tmp_path / "set"), *problems] == []
        samples = [one for split in SPLITS for one in read_set(tmp_path / "set", split)]
        return sorted(samples, key=lambda one: (one.video_id, one.caption))

    return run


Refusal = Callable[..., str]


@pytest.fixture
def refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refusal:
    """What `train prepare` says when it refuses: one sentence, exit code 2, and nothing written."""

    def run(*words: object) -> str:
        assert exit_code("prepare", *map(str, words), "--out", str(tmp_path / "set")) == 2
        assert not (tmp_path / "set").exists()
        said = " ".join(capsys.readouterr().err.split())
        assert said.startswith("Error: ")
        return said

    return run


def splits_of(samples: list[Sample]) -> dict[str, str]:
    return {one.video_id: one.split for one in samples}


def test_coco_keeps_splits_pictures_and_every_caption(tmp_path: Path, prepare: Prepare) -> None:
    samples = prepare("coco", layouts.coco(tmp_path / "coco"))
    assert len(samples) == 28
    assert splits_of(samples) == {f"coco-{n:012d}": "train" if n < 112 else "val" for n in range(100, 114)}
    blue, red = samples[:2]
    assert (blue.caption, red.caption) == ("a blue thing number 100", "a red thing number 100")
    assert blue.sha256 == red.sha256
    assert red.image == layouts.picture(100)
    assert (red.width, red.height, red.url, red.license) == (40, 24, "http://x/100", "CC BY")
    assert (red.extractor, red.caption_source, red.language) == ("coco", "human", "en")


def test_karpathys_rest_of_val_is_training_data_and_val_is_not_test(tmp_path: Path, prepare: Prepare) -> None:
    samples = prepare("coco", tmp_path, "--karpathy", layouts.karpathy(tmp_path))
    by_caption = {one.caption: one.split for one in samples}
    words = {"train": "train", "restval": "train", "val": "val", "test": "test"}
    assert by_caption == {f"{name} {n}": split for name, split in words.items() for n in ("one", "two")}


def test_flickr8k_keeps_the_official_splits_and_says_what_it_leaves_out(
    tmp_path: Path, prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = prepare("flickr", layouts.flickr8k(tmp_path / "flickr"))
    assert splits_of(samples) == {"flickr-100000": "train", "flickr-200000": "val", "flickr-300000": "test"}
    assert len(samples) == 6
    assert Manifest.load(tmp_path / "set").dropped == {"no_split": 4}
    assert "no_split: 4 (file:400000_0123456789.jpg, file:2258277193.jpg.1)" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["captions.txt", "results.csv"])
def test_flickr_without_lists_is_split_by_a_hash(tmp_path: Path, prepare: Prepare, form: str) -> None:
    samples = prepare("flickr", layouts.flickr_csv(tmp_path / "flickr", form=form))
    assert len(samples) == 20
    assert {one.split for one in samples} == {*SPLITS}
    expected = 'a "3.jpg", they say' if form == "captions.txt" else "a 3.jpg they say"
    assert expected in {one.caption for one in samples}
    assert ("A broken line ." in {one.caption for one in samples}) == (form == "results.csv")
    alone = prepare("flickr", tmp_path / "flickr", "--split", "train")
    assert {one.split for one in alone} == {"train"}


def test_vqav2_keeps_answers_where_they_are_known(tmp_path: Path, prepare: Prepare) -> None:
    train, val, test = prepare("vqav2", layouts.vqav2(tmp_path / "vqa"))
    assert [one.split for one in (train, val, test)] == ["train", "val", "test"]
    assert train.caption == "How many are 0?"
    annotation = json.loads(val.annotation)
    assert annotation["answers"] == ["two"] * 10
    assert (annotation["answer"], annotation["answer_type"], annotation["question_id"]) == ("two", "number", 10)
    assert json.loads(test.annotation) == {"question_id": 20}


def test_nlvr2_holds_both_photos_and_where_each_of_them_lies(tmp_path: Path, prepare: Prepare) -> None:
    samples = prepare("nlvr2", layouts.nlvr2(tmp_path / "nlvr2"))
    assert [one.video_id for one in samples] == ["nlvr2-dev-7-0", "nlvr2-test1-7-0", *["nlvr2-train-7-0"] * 2]
    assert [one.split for one in samples] == ["val", "test", "train", "train"]
    assert (samples[0].width, samples[0].height) == (50, 50)
    annotation = json.loads(samples[0].annotation)
    assert annotation == {"label": True, "identifier": "dev-7-0-0", "boxes": [[0, 0, 40, 24], [40, 0, 50, 50]]}


def test_image_folders_keep_their_labels_over_all_splits(tmp_path: Path, prepare: Prepare) -> None:
    samples = prepare("imagefolder", layouts.image_folder(tmp_path / "classes"))
    found = [(one.split, one.caption, json.loads(one.annotation)["label"]) for one in samples]
    assert found == [("test", "tree frog", 1), ("train", "cat", 0), ("train", "tree frog", 1), ("val", "cat", 0)]


def test_pictures_alone_become_a_set_of_images(tmp_path: Path, prepare: Prepare) -> None:
    for number in range(4):
        layouts.write(tmp_path / "photos" / "deep" / f"{number}.jpg", layouts.picture(number))
    layouts.write(tmp_path / "photos" / ".hidden" / "x.jpg", layouts.picture(9))
    samples = prepare("images", tmp_path / "photos", "--split", "train")
    assert Manifest.load(tmp_path / "set").kind == "images"
    assert [(one.caption, one.video_id) for one in samples] == [("", f"images-deep/{n}.jpg") for n in range(4)]


def test_texts_alone_become_a_set_of_texts(tmp_path: Path, prepare: Prepare) -> None:
    plain = layouts.write(tmp_path / "train.txt", "one line\n\n  another line \r\n")
    lines = [json.dumps({"text": "from json"}), json.dumps({"caption": "as a caption"}), json.dumps("bare")]
    packed = layouts.write(tmp_path / "val.jsonl.gz", gzip.compress("\n".join(lines).encode()))
    bad = layouts.write(tmp_path / "test.txt", b"fine\n\xff\xfe\n" + b"a" * (1 << 21) + b"\nlast\n")
    samples = prepare("text", plain, packed, bad)
    manifest = Manifest.load(tmp_path / "set")
    assert (manifest.kind, manifest.dropped) == ("texts", {"not_utf8": 1, "too_long": 1})
    found = {split: {one.caption for one in samples if one.split == split} for split in SPLITS}
    assert found["train"] == {"one line", "another line"}
    assert found["val"] == {"from json", "as a caption", "bare"}
    assert found["test"] == {"fine", "last"}
    assert all((one.image, one.width, one.sha256) == (b"", 0, "") for one in samples)


def test_tars_of_others_are_read_with_their_captions(tmp_path: Path, prepare: Prepare) -> None:
    samples = prepare("webdataset", layouts.webdataset(tmp_path / "tars"), "--split", "train")
    assert [one.caption for one in samples] == ["a txt caption", "a json caption", "third"]
    assert samples[0].image == layouts.picture(0)
    assert samples[1].url == "http://x/1.jpg"
    assert Manifest.load(tmp_path / "set").dropped == {"no_picture": 1}


def test_a_set_of_ours_comes_through_its_own_tars_with_its_ids(tmp_path: Path, prepare: Prepare) -> None:
    before = prepare("coco", layouts.coco(tmp_path / "coco"))
    (tmp_path / "set").rename(tmp_path / "old")
    again = prepare("webdataset", tmp_path / "old" / "*.tar")
    assert [(one.video_id, one.caption, one.image) for one in again] == [
        (one.video_id, one.caption, one.image) for one in before
    ]


def test_equal_files_give_equal_bytes_wherever_they_lie(tmp_path: Path, prepare: Prepare) -> None:
    found = []
    for place in ("here", "there"):
        prepare("coco", layouts.coco(tmp_path / place / "coco"), "--size", "20")
        paths = sorted(path for path in (tmp_path / "set").rglob("*") if path.is_file())
        found.append({path.name: path.read_bytes() for path in paths})
    assert found[0] == found[1]


def test_neighbours_are_unrelated(tmp_path: Path, prepare: Prepare) -> None:
    prepare("coco", layouts.coco(tmp_path / "coco"))
    order = [one.video_id for one in read_set(tmp_path / "set", "train")]
    assert order != sorted(order)
    assert sum(one == two for one, two in pairwise(order)) < 6  # of the 12 pairs of captions


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_what_was_prepared_can_be_trained_on_and_evaluated(tmp_path: Path, prepare: Prepare) -> None:
    prepare("coco", layouts.coco(tmp_path / "coco"))
    settings = [word for setting in (*SMALL_SETTINGS, "trainer.steps=2") for word in ("--set", setting)]
    run = tmp_path / "run"
    words = ("pretrain", "--shards", str(tmp_path / "set"), "--out", str(run), "--config", "tiny")
    assert exit_code(*words, *settings) == 0
    assert exit_code("eval", "--task", "retrieval", "--checkpoint", str(run)) == 0
    assert json.loads((run / "scores.json").read_text())["split"] == "val"  # there is no test split to make up
