"""`train prepare` before files that are missing, wrong, damaged or made by somebody who means ill; and its pictures."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shards.manifest import Manifest
from shards.sample import Sample
from shards.split import Split
from tests.shards.test_other_readers import load_with_datasets
from tests.train import layouts
from tests.train.test_prepare import Prepare, Refusal, prepare, refusal

__all__ = ["prepare", "refusal"]


def opened(sample: Sample) -> Image.Image:
    return Image.open(io.BytesIO(sample.image), formats=["JPEG"])


def folder_of(root: Path, **contents: bytes) -> Path:
    """A folder with one picture a name; `_jpg` at its end stands for `.jpg`."""
    for name, content in contents.items():
        layouts.write(root / ".".join(name.rsplit("_", 1)), content)
    return root


def test_other_formats_become_upright_rgb_jpegs(tmp_path: Path, prepare: Prepare) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held upright: turn by 90 degrees to see it
    folder = folder_of(
        tmp_path / "photos",
        kept_jpg=layouts.picture(1),
        grey_jpg=layouts.picture(1, mode="L"),
        cmyk_jpg=layouts.picture(1, mode="CMYK"),
        turned_jpg=layouts.picture(1, exif=turned),
        png_png=layouts.picture(1, format="PNG"),
        web_webp=layouts.picture(1, format="WEBP", lossless=True),
        disguised_jpg=layouts.picture(1, format="PNG"),
    )
    samples = {one.video_id.removeprefix("images-"): one for one in prepare("images", folder)}
    assert samples["kept.jpg"].image == layouts.picture(1)
    assert samples["grey.jpg"].image == layouts.picture(1, mode="L")
    assert samples["turned.jpg"].width == layouts.HEIGHT
    assert np.asarray(opened(samples["turned.jpg"]))[0].mean() < 20  # the dark half has come to the top
    for name in ("cmyk.jpg", "png.png", "web.webp", "disguised.jpg"):
        image = opened(samples[name])
        assert (image.mode, image.size) == ("RGB", (layouts.WIDTH, layouts.HEIGHT)), name
        assert np.abs(np.asarray(image, dtype=int)[:, -8:] - (24, 8, 8)).max() < 12, name
    assert len(samples) == 7


def test_what_is_transparent_becomes_white(tmp_path: Path, prepare: Prepare) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(file, "PNG")
    (sample,) = prepare("images", folder_of(tmp_path / "photos", clear_png=file.getvalue()))
    assert np.asarray(opened(sample)).min() > 250


def test_a_size_shrinks_short_sides_and_enlarges_nothing(tmp_path: Path, prepare: Prepare) -> None:
    small = io.BytesIO()
    Image.new("RGB", (18, 30)).save(small, "JPEG")
    folder = folder_of(tmp_path / "photos", a_jpg=layouts.picture(1), b_jpg=small.getvalue())
    shrunk, kept = prepare("images", folder, "--size", "20")
    assert (shrunk.width, shrunk.height) == opened(shrunk).size == (33, 20)
    assert kept.image == small.getvalue()


def test_a_shrunk_picture_is_the_same_for_all_its_captions(tmp_path: Path, prepare: Prepare) -> None:
    samples = prepare("coco", layouts.coco(tmp_path / "coco"), "--size", "16")
    images = {one.video_id: one.image for one in samples}
    assert all(one.image == images[one.video_id] for one in samples)
    assert all(hashlib.sha256(one.image).hexdigest() == one.sha256 for one in samples)
    assert len({one.sha256 for one in samples}) == 14


def bomb() -> bytes:
    """A JPEG's header names its size; nothing of that size need follow."""
    whole = layouts.picture(0)
    start = whole.index(b"\xff\xc0") + 5
    return whole[:start] + (60_000).to_bytes(2, "big") * 2 + whole[start + 4 :]


def test_what_cannot_be_stored_is_left_out_with_its_reason(
    tmp_path: Path, prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    sixteen = io.BytesIO()
    Image.fromarray(np.full((20, 20), 40_000, dtype=np.uint16)).save(sixteen, "PNG")
    folder = folder_of(
        tmp_path / "photos",
        good_jpg=layouts.picture(1),
        torn_jpg=layouts.picture(1)[:-40],
        words_jpg=b"not a picture",
        empty_png=b"",
        bomb_jpg=bomb(),
        deep_png=sixteen.getvalue(),
    )
    (sample,) = prepare("images", folder)
    assert sample.video_id == "images-good.jpg"
    assert Manifest.load(tmp_path / "set").dropped == {"colours": 1, "corrupt": 3, "too_many_pixels": 1}
    assert "Left out, too_many_pixels: 1 (file:bomb.jpg)" in capsys.readouterr().out


def test_damaged_bytes_never_stop_the_work(tmp_path: Path, prepare: Prepare) -> None:
    for kind, whole in (("jpg", layouts.picture(0)), ("png", layouts.picture(0, format="PNG"))):
        for place in range(0, len(whole), 3):
            damaged = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
            layouts.write(tmp_path / "photos" / f"{place}.{kind}", damaged)
    prepare("images", tmp_path / "photos")


def test_a_missing_picture_and_a_pipe_are_left_out(tmp_path: Path, prepare: Prepare) -> None:
    root = layouts.coco(tmp_path / "coco")
    (root / "train2017" / f"{100:012d}.jpg").unlink()
    (root / "train2017" / f"{101:012d}.jpg").unlink()
    os.mkfifo(root / "train2017" / f"{101:012d}.jpg")
    assert len(prepare("coco", root)) == 24
    assert Manifest.load(tmp_path / "set").dropped == {"missing": 4}


def test_when_nothing_can_be_kept_nothing_is_written(tmp_path: Path, refusal: Refusal) -> None:
    root = layouts.coco(tmp_path / "coco")
    for path in (*(root / "train2017").iterdir(), *(root / "val2017").iterdir()):
        path.unlink()
    assert "None of the 28 samples can be kept: 28 missing" in refusal("coco", root)


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg", "a/../../secret.jpg", "..\\secret.jpg", ""])
def test_a_picture_outside_of_the_folder_is_never_read(tmp_path: Path, refusal: Refusal, name: str) -> None:
    root = layouts.coco(tmp_path / "coco")
    layouts.write(root / "secret.jpg", layouts.picture(7))
    path = root / "annotations" / "captions_train2017.json"
    content = json.loads(path.read_text())
    content["images"][0]["file_name"] = name
    layouts.write(path, content)
    assert "outside" in refusal("coco", root)


def test_one_picture_in_two_splits_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    root = layouts.flickr8k(tmp_path / "flickr")
    layouts.write(root / "Flickr_8k.testImages.txt", "100000_0123456789.jpg\n")
    assert "another split's list" in refusal("flickr", root)
    coco = layouts.coco(tmp_path / "coco")
    training = (coco / "annotations" / "captions_train2017.json").read_text()
    layouts.write(coco / "annotations" / "captions_val2017.json", training)
    assert "both in train and in val" in refusal("coco", coco)


def test_the_same_picture_under_another_name_is_told(
    tmp_path: Path, prepare: Prepare, caplog: pytest.LogCaptureFixture
) -> None:
    root = layouts.image_folder(tmp_path / "classes")
    layouts.write(root / "val" / "cat" / "copy.jpg", layouts.picture(0))
    prepare("imagefolder", root)
    assert "Samples of val that show, byte for byte, a picture of train: 1." in caplog.text


WRONG = ["", "{", "[]", '{"images": 5}', '{"images": [{"id": "x"}], "annotations": []}', "[" * 100_000]


@pytest.mark.parametrize("content", WRONG)
def test_wrong_json_is_told_in_a_sentence_that_names_the_file(tmp_path: Path, refusal: Refusal, content: str) -> None:
    root = layouts.coco(tmp_path / "coco")
    layouts.write(root / "annotations" / "captions_train2017.json", content)
    said = refusal("coco", root)
    assert "captions_train2017.json is not COCO's captions" in said
    assert len(said) < 400


def test_what_is_missing_is_told_with_what_was_expected(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "empty").mkdir()
    for layout, expected in {
        "coco": "captions_train2017.json",
        "flickr": "the pictures are expected there",
        "vqav2": "v2_OpenEnded_mscoco_train2014_questions.json",
        "nlvr2": "test1.json",
        "imagefolder": "one for each class",
        "images": "Nothing to prepare",
    }.items():
        assert expected in refusal(layout, tmp_path / "empty")
        assert "There is no folder" in refusal(layout, tmp_path / "nowhere")
    assert "There is no file" in refusal("text", tmp_path / "no.txt")
    assert "There is no file" in refusal("webdataset", tmp_path / "{00..01}.tar")
    assert "--size 3" in refusal("images", tmp_path / "empty", "--size", "3")


def test_a_tar_that_is_torn_packed_or_elsewhere_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    layouts.webdataset(tmp_path)
    whole = (tmp_path / "00000.tar").read_bytes()
    for damaged in (
        whole[:1000],
        whole[:512] + b"x" * 512 + whole[1024:1536] + b"y" * 4096,
        b"words",
        b"\x1f\x8b" + whole,
    ):
        layouts.write(tmp_path / "bad.tar", damaged)
        assert "bad.tar" in refusal("webdataset", tmp_path / "bad.tar")
    assert "not a local path" in refusal("webdataset", "pipe:touch x")
    assert "not a local path" in refusal("webdataset", "https://x/0.tar")


def test_a_foreign_folder_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.train.test_prepare import exit_code

    mine = layouts.write(tmp_path / "set" / "mine.txt", "mine")
    assert exit_code("prepare", "coco", str(layouts.coco(tmp_path / "coco")), "--out", str(mine.parent)) == 2
    assert mine.read_text() == "mine"
    assert "not a shard set" in " ".join(capsys.readouterr().err.split())


def test_datasets_loads_a_prepared_set(tmp_path: Path, prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = prepare("vqav2", layouts.vqav2(tmp_path / "vqa"))
    loaded = load_with_datasets(tmp_path / "set", tmp_path / "cache", monkeypatch, streaming=False)
    names: dict[str, Split] = {"train": "train", "validation": "val", "test": "test"}
    found = {(names[name], row["txt"], row["jpg"]["bytes"]) for name, part in loaded.items() for row in part}
    assert found == {(one.split, one.caption, one.image) for one in samples}
    assert json.loads(loaded["train"][0]["json"]["annotation"])["answer"] == "two"


def test_help_waits_for_no_heavy_package() -> None:
    program = (
        "import sys; sys.argv = ['train', 'prepare', '--help']\n"
        "from train.cli import main\n"
        "try: main()\n"
        "except SystemExit: print({'torch', 'PIL', 'pyarrow'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
