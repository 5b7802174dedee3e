"""Pairs that a person names are left out of the set, and told of like all others that are dropped."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harvest.picking import pair_name
from shards.manifest import Manifest
from tests.harvest.conftest import harvest_here
from tests.harvest.test_shard import SENTENCE, all_samples, finish, patches


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of two good pairs each."""
    work = tmp_path_factory.mktemp("picking") / "work"
    for number in range(3):
        finish(work, f"link-{number}", [(SENTENCE, patches(10 * number + place)) for place in range(2)])
    return work


def test_named_pairs_are_left_out_and_kept_as_rows_with_their_reason(
    work: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rejected.txt").write_text("# by hand\nlink-0@5.000\n\nlink-2@15.000  # a logo\n", encoding="utf-8")
    (tmp_path / "more.txt").write_text("\ufefflink-1@5.000\r\n", encoding="utf-8")
    lists = ("--exclude", "rejected.txt", "--exclude", "more.txt")
    harvest_here("shard", "--work", work, "--out", "set", *lists, cwd=tmp_path, check=True)
    kept = {pair_name(sample.video_id, sample.frame_time) for sample in all_samples(tmp_path / "set")}
    assert kept == {"link-0@15.000", "link-1@15.000", "link-2@5.000"}
    assert Manifest.load(tmp_path / "set").dropped == {"excluded": 3}
    rows = pq.read_table(tmp_path / "set" / "_meta" / "dropped.parquet").to_pylist()
    assert {(row["video_id"], row["status"]) for row in rows} == {(f"link-{n}", "excluded") for n in range(3)}
    assert "names to exclude" not in caplog.text


def test_names_of_no_pair_are_told_of_in_one_warning(
    work: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = "link-0@5.000\nlink-0@5.5\nnobody@1.000\n000010003\n"
    (tmp_path / "rejected.txt").write_text(names, encoding="utf-8")
    harvest_here("shard", "--work", work, "--out", "set", "--exclude", "rejected.txt", cwd=tmp_path, check=True)
    told = [record.getMessage() for record in caplog.records if "exclude" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("3 of the 4 names to exclude are of no candidate pair, such as '000010003'")


def test_what_was_left_out_is_on_the_page_with_its_picture_and_stays_in_its_list(work: Path, tmp_path: Path) -> None:
    (tmp_path / "rejected.txt").write_text("link-0@5.000\n", encoding="utf-8")
    harvest_here("shard", "--work", work, "--out", "set", "--exclude", "rejected.txt", cwd=tmp_path, check=True)
    pages = []
    for options in ((), ("--work", work)):
        harvest_here("report", "set", *options, cwd=tmp_path, check=True)
        pages.append((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [page.count("data:image/jpeg;base64,") for page in pages] == [5, 6]
    assert all('data-excluded="link-0@5.000"' in page for page in pages)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00l"])
def test_a_list_that_cannot_be_read_is_a_wrong_request(work: Path, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "rejected.txt").write_bytes(content)
    run = harvest_here("shard", "--work", work, "--exclude", "rejected.txt", cwd=tmp_path)
    assert run.returncode == 2
    assert "The list rejected.txt of pairs to exclude cannot be read" in run.stderr
    assert not (tmp_path / "data").exists()
