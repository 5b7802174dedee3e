"""Black bars are cut off; what only looks like them is not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harvest.bars import BarFinder, Crop, lit
from harvest.keyframes import KeyFrameConfig
from harvest.stages.scenes import ScenesConfig
from tests.harvest.test_scenes import picture, scenes_of
from tests.makers import Picture, Scene, VideoStyle, write_video

SIZE = (180, 320)  # height and width


def view(seed: int, *, left: int = 0, top: int = 0, bottom: int = 0, right: int = 0) -> Picture:
    """Something lit everywhere but in its bars."""
    seen = np.random.default_rng(seed).integers(60, 220, SIZE, dtype=np.uint8)
    seen[:top] = seen[SIZE[0] - bottom :] = 0
    seen[:, :left] = seen[:, SIZE[1] - right :] = 0
    return seen


def found(scene: Sequence[Picture], finder: BarFinder | None = None) -> Crop:
    finder = finder or BarFinder()
    for luma in scene:
        finder.add(lit(luma))
    crop = finder.crop()
    finder.end_scene()
    return crop


@pytest.mark.parametrize(
    "bars",
    [
        {"top": 22, "bottom": 22},
        {"left": 40, "right": 40},
        {"left": 40, "right": 40, "top": 9, "bottom": 9},
        {"bottom": 30},
    ],
)
def test_bars_are_found_where_they_are(bars: dict[str, int]) -> None:
    height, width = SIZE
    wanted = (
        bars.get("left", 0) / width,
        bars.get("top", 0) / height,
        bars.get("right", 0) / width,
        bars.get("bottom", 0) / height,
    )
    assert found([view(seed, **bars) for seed in range(8)]) == pytest.approx(wanted)


def test_a_picture_without_bars_is_left_whole() -> None:
    assert found([view(seed) for seed in range(8)]) == (0, 0, 0, 0)


def test_subtitles_that_come_and_go_make_a_bar_no_picture_but_a_logo_does() -> None:
    subtitled = [view(seed, top=22, bottom=22) for seed in range(8)]
    for luma in subtitled[:5]:
        luma[165:172, 100:220:2] = 235
    marked = [view(seed, top=22, bottom=22) for seed in range(8)]
    for luma in marked:
        luma[5:17, 290:310] = 235
    assert found(subtitled) == pytest.approx((0, 22 / 180, 0, 22 / 180))
    assert found(marked) == pytest.approx((0, 0, 0, 22 / 180))


def test_a_dark_scene_has_no_bars() -> None:
    """A speaker on a black stage, a lamp, a dark sky that becomes brighter towards the ground."""
    down, across = np.mgrid[: SIZE[0], : SIZE[1]]
    speakers = []
    for step in range(8):
        speaker = np.zeros(SIZE, np.uint8)
        speaker[((across - 150 - 2 * step) / 40) ** 2 + ((down - 110) / 80) ** 2 < 1] = 150
        speakers.append(speaker)
    sky = np.clip((down - 60) * 2, 0, 200).astype(np.uint8)
    sky[:, ::2] //= 4
    assert found(speakers) == (0, 0, 0, 0)
    assert found([sky] * 8)[0::2] == (0, 0)


def test_a_scene_too_dark_to_tell_has_the_bars_of_the_one_before_but_a_full_one_has_not() -> None:
    finder = BarFinder()
    wanted = pytest.approx((0, 22 / 180, 0, 22 / 180))
    assert found([view(seed, top=22, bottom=22) for seed in range(8)], finder) == wanted
    night = np.zeros(SIZE, np.uint8)
    night[80:90, 100:130] = 120
    assert found([night] * 8, finder) == wanted
    assert found([view(seed) for seed in range(8)], finder) == (0, 0, 0, 0)


def test_key_frames_are_stored_without_bars_scene_by_scene(tmp_path: Path) -> None:
    whole, barred = picture(0), picture(1)
    barred[:32] = barred[-32:] = 0
    boxed = picture(2)
    boxed[:, :40] = boxed[:, -40:] = 0
    shown = [Scene(picture=each, seconds=2.0) for each in (whole, barred, boxed)]
    write_video(tmp_path / "a.mp4", shown, VideoStyle(audio="silent", fps=25))
    scenes, folder = scenes_of(tmp_path / "a.mp4")
    frames = [scene.frames[0] for scene in scenes.scenes]
    sizes = [(frame.width, frame.height) for frame in frames]
    assert sizes[0] == (320, 240)
    assert sizes[1] == pytest.approx((320, 176), abs=3)
    assert sizes[2] == pytest.approx((240, 240), abs=3)
    assert frames[1].crop == pytest.approx((0, 32 / 240, 0, 32 / 240), abs=0.01)
    stored = np.asarray(Image.open(folder.path / frames[1].file).convert("L"))
    assert stored.shape == (frames[1].height, frames[1].width)
    assert min(stored[0].mean(), stored[-1].mean()) > 60


def test_bars_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    barred = picture(1)
    barred[:32] = barred[-32:] = 0
    write_video(tmp_path / "a.mp4", [Scene(picture=barred, seconds=1.0)], VideoStyle(audio="silent"))
    scenes, _ = scenes_of(tmp_path / "a.mp4", ScenesConfig(key_frames=KeyFrameConfig(crop_bars=False)))
    (frame,) = scenes.scenes[0].frames
    assert (frame.width, frame.height, frame.crop) == (320, 240, (0, 0, 0, 0))
