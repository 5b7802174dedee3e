"""What `split_of` promises: stable, in the right shares, and each video on its own."""

from collections import Counter

import pytest

from shards.split import SPLITS, split_of

IDS = [f"youtube-{number:05d}" for number in range(10_000)]


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.5, 0.3, 0.2), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)])
def test_shares_are_met_over_ten_thousand_videos(shares: tuple[float, float, float]) -> None:
    counts = Counter(split_of(video_id, shares) for video_id in IDS)
    for split, share in zip(SPLITS, shares, strict=True):
        assert counts[split] / len(IDS) == pytest.approx(share, abs=0.015)


def test_the_split_of_an_id_never_changes() -> None:
    """Written down: a set made today and one made in years must agree on what is held out."""
    known = {"youtube-dQw4w9WgXcQ": "train", "file-00": "val", "file-13": "test", "видео": "val", "": "train"}
    assert {video_id: split_of(video_id) for video_id in known} == known


def test_adding_videos_moves_none() -> None:
    before = {video_id: split_of(video_id) for video_id in IDS[:100]}
    after = {video_id: split_of(video_id) for video_id in reversed(IDS)}
    assert before.items() <= after.items()


def test_a_larger_training_share_only_takes_videos_in() -> None:
    smaller = {video_id for video_id in IDS if split_of(video_id, (0.5, 0.25, 0.25)) == "train"}
    larger = {video_id for video_id in IDS if split_of(video_id, (0.8, 0.1, 0.1)) == "train"}
    assert smaller < larger
