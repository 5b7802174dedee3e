"""A set loads unchanged in webdataset, Hugging Face datasets, wids and open_clip's trainer.

The real packages read it; each must see every caption and every picture of a split exactly once.
"""

import gc
import importlib
import inspect
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shards.manifest import Manifest
from shards.sample import JSON_FIELDS, Kind, Sample, json_values
from shards.split import SPLITS, Split
from shards.writer import SetFacts, write_set
from tests.shards.pictures import lone, sample, small_set, splits

Pairs = Counter[tuple[str, bytes]]  # caption and picture, JPEG or pixels

HF_SPLITS: dict[str, Split] = {"train": "train", "validation": "val", "test": "test"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dropped = json_values(sample(50)) | {"status": "too_short"}
    folder = tmp_path_factory.mktemp("readers") / "a set"
    small_set(folder, facts=SetFacts(title="Über: 'readers'", dropped=(dropped,)))
    return folder


@pytest.fixture
def files_left_open() -> Iterator[None]:
    """webdataset closes its files by leaving them to the garbage collector: that happens here, and may be heard."""
    yield
    gc.collect()


leaves_files_open = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


def given(split: Split) -> list[Sample]:
    return [*splits()[split]]


def pixels(picture: Image.Image) -> bytes:
    return np.asarray(picture.convert("RGB")).tobytes()


def jpeg_pairs(samples: Iterable[Sample]) -> Pairs:
    return Counter((one.caption, one.image) for one in samples)


def pixel_pairs(samples: Iterable[Sample]) -> Pairs:
    return Counter((one.caption, pixels(Image.open(io.BytesIO(one.image)))) for one in samples)


def pattern(folder: Path, split: Split) -> str:
    """The brace pattern, as the card gives it for the train split."""
    if split == "train":
        (name,) = re.findall(r"WebDataset\(\"PATH/([^\"]+)\"", (folder / "README.md").read_text(encoding="utf-8"))
        return f"{folder}/{name}"
    return f"{folder}/{Manifest.load(folder).of_split(split)[0].name}"


@leaves_files_open
@pytest.mark.usefixtures("files_left_open")
@pytest.mark.parametrize("split", SPLITS)
def test_webdataset_reads_every_pair_once(folder: Path, split: Split) -> None:
    import webdataset

    data = webdataset.WebDataset(pattern(folder, split), shardshuffle=False)
    read = [*data.decode("pil").to_tuple("jpg", "txt", "json", "__key__")]
    assert Counter((text, pixels(image)) for image, text, _, _ in read) == pixel_pairs(given(split))
    assert [record["key"] for _, _, record, _ in read] == [key for _, _, _, key in read]
    assert all(record["caption"] == text and [*record] == [*JSON_FIELDS] for _, text, record, _ in read)


def load_with_datasets(folder: Path, caches: Path, monkeypatch: pytest.MonkeyPatch, *, streaming: bool) -> Any:
    """What `load_dataset(folder)` gives, offline, with everything it writes under `caches`."""
    monkeypatch.setenv("HF_HOME", str(caches))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", str(caches / "modules"))  # read when first imported
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(str(folder), cache_dir=str(caches / "data"), streaming=streaming)
    as_stored = datasets.Image(decode=False)
    return {
        split: part.cast_column("jpg", as_stored) if "jpg" in part.features else part for split, part in loaded.items()
    }


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_reads_every_split_with_its_types(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streaming: bool
) -> None:
    loaded = load_with_datasets(folder, tmp_path, monkeypatch, streaming=streaming)
    assert [*loaded] == [*HF_SPLITS]
    for hf_split, split in HF_SPLITS.items():
        rows = [*loaded[hf_split]]
        expected = given(split)
        assert Counter((row["txt"], row["jpg"]["bytes"]) for row in rows) == jpeg_pairs(expected)
        records = [row["json"] for row in rows]
        assert [record | {"key": "", "split": ""} for record in records] == [json_values(one) for one in expected]
        assert all({name: type(value) for name, value in one.items()} == JSON_FIELDS for one in records)
    times = [row["json"]["frame_time"] for row in loaded["train"]]
    assert times[:7] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.75]


def test_datasets_decodes_the_pictures(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    loaded = load_with_datasets(folder, tmp_path, monkeypatch, streaming=True)
    decoded = loaded["train"].cast_column("jpg", datasets.Image())
    assert Counter((row["txt"], pixels(row["jpg"])) for row in decoded) == pixel_pairs(given("train"))


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("kind", "columns"), [("images", ["jpg", "json", "txt"]), ("texts", ["json", "txt"])])
def test_datasets_reads_sets_of_one_modality(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, columns: list[str], streaming: bool
) -> None:
    whole: dict[Split, list[Sample]] = {"train": lone(kind, 0, 7), "val": lone(kind, 7, 2)}
    write_set(tmp_path / "set", whole, samples_per_shard=3, facts=SetFacts(kind=kind))
    loaded = load_with_datasets(tmp_path / "set", tmp_path, monkeypatch, streaming=streaming)
    assert [*loaded] == ["train", "validation"]
    for hf_split, part in loaded.items():
        rows, expected = [*part], whole[HF_SPLITS[hf_split]]
        assert [sorted({*row} - {"__key__", "__url__"}) for row in rows] == [columns] * len(expected)
        found = Counter((row["txt"], row["jpg"]["bytes"] if "jpg" in row else b"") for row in rows)
        assert found == jpeg_pairs(expected)
        assert [row["json"]["annotation"] for row in rows] == [one.annotation for one in expected]


@leaves_files_open
@pytest.mark.usefixtures("files_left_open")
def test_webdataset_reads_sets_of_one_modality(tmp_path: Path) -> None:
    import webdataset

    kinds: dict[Kind, tuple[str, str]] = {"images": ("jpg", "json"), "texts": ("txt", "json")}
    for kind, members in kinds.items():
        write_set(tmp_path / kind, {"train": lone(kind, 0, 4)}, samples_per_shard=2, facts=SetFacts(kind=kind))
        data = webdataset.WebDataset(pattern(tmp_path / kind, "train"), shardshuffle=False)
        read = [*data.decode("pil").to_tuple(*members)]
        assert [record["video_id"] for _, record in read] == [one.video_id for one in lone(kind, 0, 4)]


@pytest.mark.filterwarnings(
    "ignore:String specifications for transformations are deprecated:UserWarning"
)  # its default
@pytest.mark.parametrize("start", ["elsewhere", "beside", "inside"])
def test_wids_reads_every_pair_once_from_any_working_directory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    from wids import ShardListDataset

    directory, index = {
        "elsewhere": (tmp_path, str(folder / "index.json")),
        "beside": (folder.parent, f"{folder.name}/index.json"),
        "inside": (folder, "index.json"),
    }[start]
    monkeypatch.chdir(directory)
    data = ShardListDataset(index, cache_dir=str(tmp_path / "cache"))
    read = [data[place] for place in range(len(data))]
    data.close()
    expected = [one for split in SPLITS for one in given(split)]
    assert Counter((one[".txt"], pixels(one[".jpg"])) for one in read) == pixel_pairs(expected)
    assert [one[".json"]["key"] for one in read] == [one["__key__"] for one in read]


def open_clip_data(monkeypatch: pytest.MonkeyPatch, *options: str) -> Any:
    """open_clip's trainer's own data, by its own command line, with its own transform and tokenizer.

    Its training pipeline was written for webdataset 0.2.86 and stumbles over the empty dict with which later
    versions mark the end of a shard, whatever is in it; the argument handed in here asks them not to.
    """
    importlib.import_module("train.models.layers")  # makes torchvision importable beside a CPU-only torch
    from open_clip import SimpleTokenizer, image_transform
    from open_clip_train import data
    from open_clip_train.params import parse_args

    if "eof_value" in inspect.signature(data.tar_file_expander).parameters:
        monkeypatch.setattr(data, "tar_file_expander", partial(data.tar_file_expander, eof_value=None))
    arguments = ["--dataset-type", "webdataset", "--model", "ViT-B-32", "--workers", "0", "--seed", "3", *options]
    args = parse_args(arguments)
    args.distributed, args.rank, args.world_size = False, 0, 1  # its main() sets these
    transform, tokenizer = image_transform(16, is_train=False), SimpleTokenizer()
    return data.get_data(args, (transform, transform), epoch=0, tokenizer=tokenizer), transform, tokenizer


def open_clip_pairs(loader: Any) -> Counter[tuple[bytes, bytes]]:
    batches = [(images.numpy(), texts.numpy()) for images, texts in loader]
    return Counter(
        (text.tobytes(), image.tobytes())
        for images, texts in batches
        for image, text in zip(images, texts, strict=True)
    )


def expected_pairs(samples: Iterable[Sample], transform: Any, tokenizer: Any) -> Counter[tuple[bytes, bytes]]:
    return Counter(
        (
            tokenizer(one.caption)[0].numpy().tobytes(),
            transform(Image.open(io.BytesIO(one.image)).convert("RGB")).numpy().tobytes(),
        )
        for one in samples
    )


@leaves_files_open
@pytest.mark.usefixtures("files_left_open")
def test_open_clip_trains_on_every_pair_once_an_epoch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not resampled; the count comes from sizes.json; 14 samples are two whole batches of 7."""
    options = ("--train-data", pattern(folder, "train"), "--batch-size", "7")
    data, transform, tokenizer = open_clip_data(monkeypatch, *options)
    loader = data["train"].dataloader
    assert (loader.num_samples, loader.num_batches) == (14, 2)
    expected = expected_pairs(given("train"), transform, tokenizer)
    for epoch in range(2):
        data["train"].set_epoch(epoch)
        assert open_clip_pairs(loader) == expected


@leaves_files_open
@pytest.mark.usefixtures("files_left_open")
@pytest.mark.parametrize("split", ["val", "test"])
def test_open_clip_evaluates_on_every_pair_once(folder: Path, monkeypatch: pytest.MonkeyPatch, split: Split) -> None:
    data, transform, tokenizer = open_clip_data(monkeypatch, "--val-data", pattern(folder, split), "--batch-size", "3")
    assert open_clip_pairs(data["val"].dataloader) == expected_pairs(given(split), transform, tokenizer)
