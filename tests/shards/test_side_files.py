"""The files beside the tars: rows, counts, index and card agree with the samples."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from shards.manifest import Manifest
from shards.reader import read_set
from shards.sample import JSON_FIELDS, UNKNOWN, json_values
from shards.split import SPLITS
from shards.writer import SetFacts, write_set
from tests.shards.pictures import files, sample, small_set

FACTS = SetFacts(
    title="Überschrift: {a} # [b]",
    version="1.2.3",
    dropped=(
        json_values(sample(30)) | {"status": "too_short"},
        json_values(sample(31)) | {"status": "blank_frame"},
        json_values(sample(32)) | {"status": "too_short", "score": 2.0},
    ),
    settings={"filters": {"min_tokens": 8}},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("side_files") / "set"
    small_set(folder, facts=FACTS)
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def front_matter(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    return values


def test_parquet_rows_are_the_samples_records(folder: Path) -> None:
    tables = [rows(path) for path in sorted((folder / "_meta").glob("0*.parquet"))]
    read = [json_values(one) for split in SPLITS for one in read_set(folder, split)]
    assert [row for table in tables for row in table] == read
    assert [len(table) for table in tables] == [shard.samples for shard in Manifest.load(folder).shards]


def test_dropped_rows_carry_their_reasons_and_are_counted(folder: Path) -> None:
    assert rows(folder / "_meta" / "dropped.parquet") == [{"score": UNKNOWN} | dict(row) for row in FACTS.dropped]
    assert Manifest.load(folder).dropped == {"blank_frame": 1, "too_short": 2}


def test_all_tables_have_one_schema_even_without_rows_and_dropped_rows_a_score(tmp_path: Path, folder: Path) -> None:
    write_set(tmp_path / "set", {"train": [sample(0)]})
    empty = pq.read_schema(tmp_path / "set" / "_meta" / "dropped.parquet")
    assert empty.names == [*JSON_FIELDS, "score"]
    kept = empty.remove(empty.get_field_index("score"))
    assert pq.read_schema(folder / "_meta" / "dropped.parquet").equals(empty)
    assert all(pq.read_schema(path).equals(kept) for path in (folder / "_meta").glob("0*.parquet"))


def test_stats_and_sizes_count_the_samples(folder: Path) -> None:
    manifest = Manifest.load(folder)
    assert json.loads((folder / "sizes.json").read_text()) == {one.name: one.samples for one in manifest.shards}
    stats = [json.loads(path.read_text()) for path in sorted((folder / "_meta").glob("*_stats.json"))]
    assert [(one["shard"], one["count"], one["successes"], one["bytes"]) for one in stats] == [
        (one.name, one.samples, one.samples, one.bytes) for one in manifest.shards
    ]


def test_the_index_has_each_shards_md5(folder: Path) -> None:
    for one in json.loads((folder / "index.json").read_text())["shardlist"]:
        content = (folder / one["url"]).read_bytes()
        assert one["md5sum"] == hashlib.md5(content).hexdigest()
        assert one["filesize"] == len(content)


def test_the_manifest_has_the_digest_of_every_file_that_is_not_a_shard(folder: Path) -> None:
    found = files(folder)
    side = {name: content for name, content in found.items() if not name.endswith(".tar") and name != "manifest.json"}
    assert Manifest.load(folder).files == {name: hashlib.sha256(side[name]).hexdigest() for name in side}
    assert len(side) == 3 + 2 * 6 + 1


def test_the_card_lists_splits_features_and_what_was_dropped(folder: Path) -> None:
    front = front_matter(folder)
    assert front["pretty_name"] == FACTS.title
    assert [one["split"] for one in front["configs"][0]["data_files"]] == ["train", "validation", "test"]
    (records,) = [one["struct"] for one in front["dataset_info"]["features"] if one["name"] == "json"]
    assert [one["name"] for one in records] == [*JSON_FIELDS]
    assert [one["num_examples"] for one in front["dataset_info"]["splits"]] == [14, 4, 2]
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert all(part in text for part in (FACTS.title, "1.2.3", "`too_short`: 2", "min_tokens: 8", "{00000..00003}"))


def test_the_card_tells_sources_dates_and_figures(tmp_path: Path) -> None:
    online = [sample(n, extractor="youtube", upload_date=f"2025-01-0{n + 1}", license="CC-BY") for n in range(3)]
    write_set(tmp_path / "set", {"train": [*online, sample(9, extractor="file", caption="four words of it")]})
    text = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    assert "Uploaded: 2025-01-01 to 2025-01-03. Downloaded: unknown." in text
    assert "- `file`: 1" in text
    assert re.search(r"\| words of a caption, parted by blanks \| \d+ \| \d+ \| \d+ \|", text)
    front = front_matter(tmp_path / "set")
    assert (front["license"], front["size_categories"]) == ("other", ["n<1K"])


def test_a_card_for_one_split_names_no_other(tmp_path: Path) -> None:
    write_set(tmp_path / "set", {"val": [sample(0)]})
    assert [one["split"] for one in front_matter(tmp_path / "set")["configs"][0]["data_files"]] == ["validation"]
    assert front_matter(tmp_path / "set")["language"] == []


def test_a_strangers_words_cannot_leave_their_place_in_the_card(tmp_path: Path) -> None:
    hostile = "x`\n---\n# <script>alert(1)</script> \x1b[2J {title}"
    one = sample(0, channel=hostile, license=hostile, title=hostile, caption=hostile, language="e`n\n")
    write_set(tmp_path / "set", {"train": [one]})
    text = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    assert text.count("\n---\n") == 1
    assert "\x1b" not in text
    lines = [line for line in text.splitlines() if "<script>" in line]
    assert len(lines) == 2  # the licence and the channel, never title or caption
    assert all(line.startswith("- `") and line.endswith("`: 1") and line.count("`") == 2 for line in lines)
