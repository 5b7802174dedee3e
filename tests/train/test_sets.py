"""Sets by pattern: other people's tars."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from shards.errors import CorruptShard, NotAShardSet
from tests.train.foreign import pair, picture, write_tar
from tests.train.readings import batches, keys_of, reading, settings
from train.data.braces import count_names, expanded
from train.data.collate import Collate
from train.data.sets import captions_of
from train.data.source import open_source
from train.errors import DataError


@pytest.fixture
def tars(tmp_path: Path) -> Path:
    """Four tars of five pairs, of four kinds of picture."""
    for number, ending in enumerate(("jpg", "jpeg", "png", "webp")):
        samples = [pair(5 * number + place, ending) for place in range(5)]
        write_tar(tmp_path / f"cc-{number:05d}.tar", samples, first=5 * number)
    return tmp_path


@pytest.mark.parametrize(
    "pattern", ["cc-{00000..00003}.tar", "cc-*.tar", "{cc-00000,cc-0000[1-3]}.tar", "{cc-00000,cc-*}.tar"]
)
def test_other_peoples_tars_are_read_by_pattern(tars: Path, plain: Collate, pattern: str) -> None:
    source = open_source(f"{tars}/{pattern}")
    assert (source.kind, source.samples("train"), source.samples("val")) == ("pairs", 20, 0)
    made = batches(reading([source], settings(batch_size=10)), plain, 2)
    assert sorted(keys_of(made)) == [f"{number:09d}" for number in range(20)]
    for batch in made:
        for image_CSS, caption in zip(batch.images_BCSS, batch.captions, strict=True):
            assert (image_CSS.float() - 8 * int(caption.removeprefix("grey ")) - 4).abs().max() < 4
        assert batch.align_B.eq(-1).all()
        assert len(set(batch.videos_B.tolist())) == 10


def test_a_caption_may_stand_in_the_record_and_what_lacks_a_part_is_left_out(
    tars: Path, collate: Collate, caplog: pytest.LogCaptureFixture
) -> None:
    from_record = {name: content for name, content in pair(20).items() if name != "txt"}
    write_tar(tars / "cc-00004.tar", [from_record, {"jpg": picture(21)}, {"txt": b"only words"}], first=20)
    with caplog.at_level(logging.INFO):
        source = open_source(f"{tars}/cc-0000[4].tar")
    assert source.samples("train") == 1
    assert "2 samples that lack a part" in caplog.text
    (batch,) = batches(reading([source], settings(batch_size=1)), collate, 1)
    assert batch.captions == ("grey 20",)
    assert [*captions_of([source])] == ["grey 20"]


def test_tars_are_counted_once_and_again_when_they_change(tars: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = open_source(f"{tars}/cc-*.tar", cache=cache)
    notes = json.loads((cache / "tar-counts.json").read_text())
    assert len(notes) == 4
    notes[str(tars / "cc-00000.tar")]["pairs"] = 4
    (cache / "tar-counts.json").write_text(json.dumps(notes))
    assert open_source(f"{tars}/cc-*.tar", cache=cache).samples("train") == 19  # believed
    write_tar(tars / "cc-00000.tar", [pair(number) for number in range(6)])
    again = open_source(f"{tars}/cc-*.tar", cache=cache)
    assert again.samples("train") == 21
    assert again.digest != first.digest


@pytest.mark.parametrize(
    "text",
    [
        "pipe:cat a.tar",
        "pipe://cat a.tar",
        "simplecache::s3://bucket/a.tar",
        "filecache::file:///etc/a.tar",
        "zip://a.tar::s3://bucket/b.zip",
        "ssh://host/a.tar",
        "memory://a.tar",
    ],
)
def test_what_starts_a_program_or_leads_through_other_protocols_is_refused(text: str) -> None:
    with pytest.raises(NotAShardSet, match="is not opened"):
        open_source(text)


def test_a_store_whose_package_is_missing_is_named() -> None:
    # A process of its own: here another test may have opened a bucket, and fsspec keeps what it has loaded.
    program = (
        "import sys; sys.modules['s3fs'] = None; from train.data.source import open_source; open_source('s3://b/set')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "Unreachable: Reading s3:// needs a package that is not installed (pip install 'harvest-train[s3]')" in (
        ended.stderr
    )


@pytest.mark.parametrize("folder", ["plain", "odd {name} [x]*, \\\\ of a folder"])
@pytest.mark.parametrize("pattern", ["cc-{00000..00003}.tar", "cc-*.tar", "cc-0000[0-3].tar", "./{cc-*,none*}.tar"])
def test_a_local_pattern_means_the_same_from_anywhere(
    tars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, pattern: str
) -> None:
    here = tmp_path / folder
    here.mkdir()
    for tar in tars.glob("cc-*.tar"):
        tar.rename(here / tar.name)
    monkeypatch.chdir(here)
    source = open_source(pattern)
    assert source.samples("train") == 20
    monkeypatch.chdir("/")
    again = open_source(source.name)
    assert (again.name, again.digest, again.shards) == (source.name, source.digest, source.shards)


@pytest.mark.parametrize(
    "pattern",
    [
        "{0..99999999999}.tar",
        "{" + "9" * 5000 + "..0}.tar",
        "{a,b{0..999999}}{0..1}.tar",
        "{x{0..999}{0..999}{0..999},y}.tar",
        "{a,b}" * 20 + ".tar",
    ],
)
def test_braces_that_stand_for_too_many_names_are_refused_before_they_are_made(pattern: str) -> None:
    with pytest.raises(DataError, match="stands for more than 1,000,000 tars"):
        open_source(pattern)


@pytest.mark.parametrize("pattern", ["{0..3.tar", "a}.tar", "{" * 500 + "}" * 500 + ".tar"])
def test_braces_that_mean_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(DataError, match="has braces"):
        open_source(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "a",
        "{1..3}",
        "{3..-2..2}",
        "{a,b{1..3}{x,y}}",
        "{a}",
        "{{0..9},{0..4..3}}",
        r"\{1..3\}",
        "{,x}-{1..2}{1..2}",
        "{}",
    ],
)
def test_names_are_counted_as_they_are_made(pattern: str) -> None:
    assert count_names(pattern) == len([*expanded(pattern)])


def test_a_pattern_that_finds_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No tar is found"):
        open_source(f"{tmp_path}/*.tar")
    write_tar(tmp_path / "empty.tar", [{"cls": b"3"}])
    with pytest.raises(DataError, match="holds no samples"):
        open_source(f"{tmp_path}/*.tar")


def test_a_torn_tar_is_named_or_left_out(tars: Path, caplog: pytest.LogCaptureFixture) -> None:
    torn = tars / "cc-00000.tar"
    torn.write_bytes(torn.read_bytes()[:3000])
    with pytest.raises(CorruptShard, match=r"cc-00000\.tar"):
        open_source(f"{tars}/cc-*.tar")
    assert open_source(f"{tars}/cc-*.tar", skip=True).samples("train") == 15
    assert "cc-00000.tar is torn" in caplog.text
