"""The command `harvest report`: one page that shows a set, asks nothing of the network and trusts no text in it."""

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shards.sample import Sample
from shards.split import Split
from shards.writer import SetFacts, write_set
from tests.harvest.conftest import harvest_here

EVIL = '</script><script>window.owned = 1</script><img src="https://evil.example/x.png" onerror="window.owned = 1">'
QUOTES = '" onmouseover="window.owned = 1" x="'
TURNED = "abc \u202egnp.exe\u2066 def"
VIDEOS = 6
PAIRS_OF_EACH = 4


def jpeg(seed: int) -> bytes:
    colours = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(colours.repeat(40, axis=0).repeat(40, axis=1)).save(written, "JPEG")
    return written.getvalue()


def sample(video: int, place: int, **known: Any) -> Sample:
    image, start = jpeg(10 * video + place), 10.0 * place
    values = {
        "image": image, "sha256": hashlib.sha256(image).hexdigest(), "width": 640, "height": 360,
        "video_id": f"link-{video}", "caption": f"caption {place} of video {video}", "title": f"Title {video}",
        "url": f"https://x.org/{video}", "channel": "A channel", "license": "CC-BY", "language": "en",
        "scene_start": start, "scene_end": start + 10, "frame_time": start + 4, "speech_start": start + 1,
        "speech_end": start + 8, "context_before": "said before", "context_after": "said after", "sharpness": 123.5,
        "avg_logprob": -0.25, "no_speech_prob": 0.0, "compression_ratio": 1.0, "brightness": 99.0,
    }  # fmt: skip
    return Sample.make(**(values | known))  # type: ignore[arg-type]


def write(out: Path, samples: list[Sample], dropped: tuple[dict[str, Any], ...] = ()) -> Path:
    splits: dict[Split, list[Sample]] = {"train": samples[1:], "test": samples[:1]}
    write_set(out, splits, facts=SetFacts(dropped=dropped, settings={"pairing": {"min_words": 8}}))
    return out


def row(one: Sample, status: str) -> dict[str, Any]:
    from shards.sample import json_values

    return json_values(one) | {"status": status}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos of four pairs; in the first, strangers' worst; two candidates were dropped."""
    pairs = [sample(video, place) for video in range(1, VIDEOS) for place in range(PAIRS_OF_EACH)]
    evil = {"title": EVIL, "channel": QUOTES, "license": TURNED, "url": "javascript:window.owned=1", "language": QUOTES}
    pairs += [sample(0, place, caption=f"{EVIL} {place}", context_before=TURNED, **evil) for place in range(4)]
    dropped = (row(sample(1, 7, caption=EVIL), "too_short"), row(sample(2, 7, video_id=QUOTES), "excluded"))
    return write(tmp_path_factory.mktemp("report") / "shards", pairs, dropped)


@pytest.fixture(scope="module")
def page(shards: Path) -> str:
    return made(shards)


def made(shards: Path, *options: str | Path, name: str = "report.html") -> str:
    run = harvest_here("report", shards, "--out", shards.parent / name, *options, cwd=shards.parent)
    assert run.returncode == 0, run.stderr
    return (shards.parent / name).read_text(encoding="utf-8")


class Read(HTMLParser):
    """A page taken apart as a browser would."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_data(self, data: str) -> None:
        self.text += " " + " ".join(data.split())

    def named(self) -> list[str]:
        return [attributes["data-name"] for tag, attributes in self.elements if "data-name" in attributes]


def test_every_pair_is_shown_with_its_words_source_scores_and_times(page: str) -> None:
    read = Read(page)
    assert {f"link-{video}@{10 * place + 4}.000" for video in range(VIDEOS) for place in range(4)} <= {*read.named()}
    text = " ".join(read.text.split())
    assert "said before caption 2 of video 3 said after" in text
    assert "scene 20.00–30.00 s speech 21.00–28.00 s frame 24.00 s" in text
    assert "Title 3 https://x.org/3 A channel CC-BY en" in text
    assert "sharpness 123.5" in text
    assert text.count("caption length, words") == text.count("scene length, seconds") == 1


def test_strangers_words_are_text_and_never_markup(page: str) -> None:
    read = Read(page)
    tags = [tag for tag, _ in read.elements]
    assert (tags.count("script"), tags.count("style")) == (1, 1)
    for tag, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith(("#", "data:", "https://x.org/"))
    assert EVIL in read.text
    assert not set("\u202e\u2066") & set(page)
    assert "abc \ufffdgnp.exe\ufffd def" in read.text


def test_the_policy_names_its_own_style_and_script_and_allows_nothing_else(page: str) -> None:
    policy = next(values["content"] for tag, values in Read(page).elements if "Policy" in values.get("http-equiv", ""))
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for kind in ("style", "script"):
        own = re.search(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        assert own is not None
        digest = base64.b64encode(hashlib.sha256(own[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_a_sample_is_spread_over_the_videos_and_is_the_same_every_time(shards: Path, page: str) -> None:
    few = made(shards, "--pairs", str(VIDEOS + 2), name="few.html")
    shown = [name for name in Read(few).named() if name.endswith("4.000")]
    kept = [name for name in shown if float(name.partition("@")[2]) < 40]
    of_video = [sum(name.startswith(f"link-{video}@") for name in kept) for video in range(VIDEOS)]
    assert sorted(of_video) == [1, 1, 1, 1, 2, 2]
    assert made(shards, name="again.html") == page


def test_what_was_dropped_is_told_by_reason_with_examples(page: str) -> None:
    read = Read(page)
    statuses = [values["data-status"] for _, values in read.elements if "data-status" in values]
    assert (statuses.count("too_short"), statuses.count("excluded"), statuses.count("success")) == (1, 1, 24)
    assert "too short 1" in " ".join(read.text.split())
    assert next(values["data-excluded"] for tag, values in read.elements if tag == "body") == f"{QUOTES}@74.000"


def test_two_sets_are_compared_by_their_frames(shards: Path, tmp_path: Path) -> None:
    other = [sample(1, place, caption=f"caption {place} of video one") for place in range(2)]
    other += [sample(2, place) for place in range(4)] + [sample(9, 0)]
    write(tmp_path / "other", other, (row(sample(3, 0), "blank_frame"),))
    text = " ".join(Read(made(shards, "--compare", tmp_path / "other", name="both.html")).text.split())
    assert "pairs 24 7" in text
    assert "frames in both 6 6" in text
    assert "frames in this one alone 18 1" in text
    assert "in the other: blank frame 1 0" in text
    assert "2 of 6 pairs that are in both" in text
    assert "caption 0 of video 1 other caption 0 of video one" in text


def test_a_picture_that_is_none_leaves_its_place_empty(tmp_path: Path) -> None:
    write(tmp_path / "set", [sample(1, 0, image=b"no picture"), sample(2, 0)])
    page = made(tmp_path / "set")
    assert (page.count("data:image/jpeg;base64,"), page.count("no picture")) == (1, 1)


def test_two_hundred_pairs_of_busy_pictures_stay_below_ten_megabytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (144, 256, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(noise).save(written, "JPEG")
    image = written.getvalue()
    long = "word " * 1000
    write(tmp_path / "set", [sample(video, 0, image=image, caption=long) for video in range(200)])
    page = made(tmp_path / "set")
    assert page.count("data:image/jpeg;base64,") == 200
    assert len(page.encode()) < 10_000_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere",), "There is no folder nowhere"),
        (("set", "--out", "set/report.html"), "set/report.html would lie in the set itself"),
        (("set", "--out", "."), ". is a folder"),
        (("set", "--work", "nowhere"), "There is no work folder nowhere"),
        (("set", "--compare", "nowhere"), "There is no folder nowhere"),
        (("set", "--out", "file/report.html"), "file/report.html cannot be written"),
        (("torn",), "train-00000.tar is torn or damaged"),
        (("rowless",), "dropped.parquet cannot be read"),
    ],
)
def test_a_wrong_request_gets_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    for name in ("set", "torn", "rowless"):
        write(tmp_path / name, [sample(1, 0), sample(2, 0)])
    (tmp_path / "torn" / "train-00000.tar").write_bytes(b"x" * 1024)
    (tmp_path / "rowless" / "_meta" / "dropped.parquet").unlink()
    (tmp_path / "file").write_text("", encoding="utf-8")
    run = harvest_here("report", *arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1
