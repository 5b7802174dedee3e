"""Scenes and key frames of videos whose every cut is known."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from harvest.errors import Reason, StageError
from harvest.folder import VideoFolder
from harvest.keyframes import KeyFrameConfig
from harvest.records import Scenes, Video, VideoRef
from harvest.stages.download import Download, DownloadConfig
from harvest.stages.scenes import FindScenes, ScenesConfig
from harvest.stills import difference_hash
from tests.makers import (
    Fact,
    Picture,
    Scene,
    Thing,
    Truth,
    VideoStyle,
    blank,
    count_cuts,
    draw_fact,
    write_playlist,
    write_text,
    write_truncated,
    write_video,
)
from tests.makers.timeline import Entrance


def picture(seed: int, *, size: tuple[int, int] = (320, 240)) -> Picture:
    colours, shapes = ("red", "blue", "green"), ("circle", "square", "star")
    first = Thing(colour=colours[seed % 3], shape=shapes[(seed + 1) % 3])
    second = Thing(colour=colours[(seed + 1) % 3], shape=shapes[seed % 3])
    return draw_fact(Fact(first=first, relation="is over", second=second), seed=seed, background=seed, size=size)


def folder_of(path: Path, work: Path) -> VideoFolder:
    """The folder of a local video that has passed the download stage."""
    folder = VideoFolder(work, "v")
    folder.save(VideoRef(id="v", url=f"file:{path.name}", path=str(path)), "")
    folder.save(Download(DownloadConfig(), allow_private=False).run(folder), "")
    return folder


def scenes_of(path: Path, config: ScenesConfig | None = None) -> tuple[Scenes, VideoFolder]:
    folder = folder_of(path, path.parent / "work")
    return FindScenes(config or ScenesConfig()).run(folder), folder


def make(path: Path, entrances: list[Entrance], style: VideoStyle | None = None) -> Truth:
    scenes = [Scene(picture=picture(seed), entrance=entrance, seconds=2.0) for seed, entrance in enumerate(entrances)]
    return write_video(path, scenes, style or VideoStyle(audio="silent"))


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("a.mp4", VideoStyle(audio="silent")),
        ("a.webm", VideoStyle(audio="silent", codec="vp9")),
        ("rate.mp4", VideoStyle(audio="silent", variable_rate=True, seed=3)),
        ("fast.mp4", VideoStyle(audio="silent", fps=30)),
    ],
)
def test_hard_cuts_are_found_to_the_frame(tmp_path: Path, name: str, style: VideoStyle) -> None:
    truth = make(tmp_path / name, ["cut"] * 6, style)
    scenes, _ = scenes_of(tmp_path / name)
    assert [scene.start for scene in scenes.scenes[1:]] == pytest.approx([cut.time for cut in truth.cuts], abs=0.002)
    assert scenes.scenes[-1].end == pytest.approx(truth.seconds, abs=0.2)


def test_fades_through_black_are_found(tmp_path: Path) -> None:
    truth = make(tmp_path / "a.mp4", ["cut", "fade", "fade", "fade"], VideoStyle(audio="silent", fps=25))
    scenes, _ = scenes_of(tmp_path / "a.mp4")
    count = count_cuts(truth.cuts, [scene.start for scene in scenes.scenes[1:]])
    assert (count.recall, count.precision) == (1.0, 1.0)


def test_dissolves_are_found_and_no_key_frame_lies_in_one(tmp_path: Path) -> None:
    style = VideoStyle(audio="silent", fps=25, transition=1.0)
    truth = make(tmp_path / "a.mp4", ["cut", "dissolve", "cut", "dissolve"], style)
    scenes, _ = scenes_of(tmp_path / "a.mp4")
    found = [scene.start for scene in scenes.scenes[1:]]
    assert found == pytest.approx([cut.time for cut in truth.cuts], abs=0.1)
    blends = [cut.time for cut in truth.cuts if cut.entrance == "dissolve"]
    times = [frame.time for scene in scenes.scenes for frame in scene.frames]
    assert all(abs(time - blend) > style.transition / 2 for time in times for blend in blends)


def test_a_flash_is_no_cut_and_hides_none(tmp_path: Path) -> None:
    flash = np.clip(picture(0).astype(int) + 170, 0, 255).astype(np.uint8)
    shown = [(picture(0), 2.0), (flash, 0.08), (picture(0), 0.4), (picture(1), 2.0)]
    write_video(
        tmp_path / "a.mp4",
        [Scene(picture=each, seconds=seconds) for each, seconds in shown],
        VideoStyle(audio="silent", fps=25),
    )
    found, _ = scenes_of(tmp_path / "a.mp4")
    assert [scene.start for scene in found.scenes[1:]] == pytest.approx([2.48], abs=0.01)


def test_a_page_that_differs_little_is_a_scene_of_its_own_but_a_name_put_over_it_is_not(tmp_path: Path) -> None:
    first, second = np.full((240, 320, 3), 225, np.uint8), np.full((240, 320, 3), (233, 227, 217), np.uint8)
    first[60:80, 40:200] = second[100:120, 40:240] = 40
    named = second.copy()
    named[180:225] = 20
    write_video(
        tmp_path / "a.mp4",
        [Scene(picture=each, seconds=2.0) for each in (first, second, named)],
        VideoStyle(audio="silent", fps=25),
    )
    found, _ = scenes_of(tmp_path / "a.mp4", ScenesConfig.model_validate({"cuts": {"min_change": 60.0}}))
    assert [scene.start for scene in found.scenes[1:]] == pytest.approx([2.0], abs=0.01)


def test_key_frames_show_their_scene_and_lie_within_it(tmp_path: Path) -> None:
    make(tmp_path / "a.mp4", ["cut"] * 4)
    scenes, folder = scenes_of(tmp_path / "a.mp4")
    for seed, scene in enumerate(scenes.scenes):
        (frame,) = scene.frames
        assert scene.start + 0.2 <= frame.time <= scene.end - 0.2 or scene.start == 0
        shown = np.asarray(Image.open(folder.path / frame.file).convert("RGB"), dtype=float)
        assert (frame.width, frame.height) == (320, 240)
        differences = [float(np.abs(shown - picture(other)).mean()) for other in range(4)]
        assert int(np.argmin(differences)) == seed


def test_the_sharpest_still_frame_is_chosen(tmp_path: Path) -> None:
    """A blurred picture becomes sharp for a moment, then blurred again; no step is large enough for a cut."""
    sharp = picture(1)
    blurred = np.asarray(Image.fromarray(sharp).resize((40, 30)).resize((320, 240)), dtype=np.uint8)
    scenes = [
        Scene(picture=blurred, seconds=2.0),
        Scene(picture=sharp, seconds=1.0, entrance="dissolve"),
        Scene(picture=blurred, seconds=2.0, entrance="dissolve"),
    ]
    write_video(tmp_path / "a.mp4", scenes, VideoStyle(audio="silent", fps=25))
    found, _ = scenes_of(tmp_path / "a.mp4")
    (frame,) = found.scenes[0].frames
    assert len(found.scenes) == 1
    assert 2.2 <= frame.time <= 2.8


def test_no_key_frame_lies_right_before_a_cut_however_sharp_it_is(tmp_path: Path) -> None:
    """The picture becomes sharper with every frame until the cut."""
    sharp = picture(1).astype(float)
    blurred = np.asarray(Image.fromarray(picture(1)).resize((40, 30)).resize((320, 240)), dtype=float)
    steps = [(blurred + (sharp - blurred) * step / 50).astype(np.uint8) for step in range(50)]
    rising = [Scene(picture=step, seconds=0.04) for step in steps]
    scenes = [*rising, Scene(picture=picture(2), seconds=2.0)]
    write_video(tmp_path / "a.mp4", scenes, VideoStyle(audio="silent", fps=25))
    found, _ = scenes_of(tmp_path / "a.mp4")
    first, second = found.scenes
    assert second.start == pytest.approx(2.0, abs=0.01)
    assert first.frames[0].time == pytest.approx(1.8, abs=0.13)
    assert first.frames[0].time <= 1.8 + 1e-6


def test_no_key_frame_shows_a_flash_however_sharp_it_is(tmp_path: Path) -> None:
    """Weak and long, as a frame that is half lit, or lightning: what it shows does not move."""
    dim = 90 + picture(0) // 8
    lit = 130 + picture(0) // 4
    scenes = [Scene(picture=each, seconds=seconds) for each, seconds in ((dim, 1.0), (lit, 0.24), (dim, 1.0))]
    write_video(tmp_path / "a.mp4", scenes, VideoStyle(audio="silent", fps=25))
    found, _ = scenes_of(tmp_path / "a.mp4")
    assert len(found.scenes) == 1
    time = found.scenes[0].frames[0].time
    assert not 1.0 <= time < 1.24


def test_a_well_exposed_frame_is_chosen(tmp_path: Path) -> None:
    """The camera opens its iris too far, and then again: all is sharper still, but too bright."""
    details = np.random.default_rng(0).integers(-20, 20, (60, 80, 1)).repeat(4, 0).repeat(4, 1).repeat(3, 2)
    good, bright = (np.asarray(level + share * details, np.uint8) for level, share in ((120, 1.0), (222, 1.4)))
    scenes = [
        Scene(picture=bright, seconds=2.0),
        Scene(picture=good, seconds=1.5, entrance="dissolve"),
        Scene(picture=bright, seconds=2.0, entrance="dissolve"),
    ]
    write_video(tmp_path / "a.mp4", scenes, VideoStyle(audio="silent", fps=25, transition=1.0))
    found, _ = scenes_of(tmp_path / "a.mp4", ScenesConfig.model_validate({"cuts": {"dissolves": False}}))
    (frame,) = found.scenes[0].frames
    assert 2.3 <= frame.time <= 3.2
    assert frame.exposure > 0.9


def test_a_scene_that_ends_in_long_darkness_has_no_frames_beyond_its_end(tmp_path: Path) -> None:
    scenes = [
        Scene(picture=picture(0), seconds=3.0),
        Scene(picture=blank(), seconds=40.0, entrance="fade"),
        Scene(picture=picture(1), seconds=3.0, entrance="fade"),
    ]
    write_video(tmp_path / "a.mp4", scenes, VideoStyle(audio="silent"))
    found, _ = scenes_of(tmp_path / "a.mp4")
    for scene in found.scenes:
        assert all(scene.start <= frame.start < frame.end <= scene.end for frame in scene.frames)
    assert len(found.scenes) == 3  # so long a darkness is a scene of its own


def test_a_change_of_resolution_half_way_is_survived(tmp_path: Path) -> None:
    """Two MPEG streams of different size, one after the other, as digital television sends them."""
    parts = []
    for seed, size in enumerate(((320, 240), (480, 272))):
        part = tmp_path / f"{seed}.ts"
        with av.open(str(part), "w", format="mpegts") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for number in range(50):
                frame = av.VideoFrame.from_ndarray(picture(seed, size=size), format="rgb24")
                frame.pts = number + 50 * seed
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts.append(part.read_bytes())
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(parts))
    folder = VideoFolder(tmp_path / "work", "v")
    video = Video(
        id="v", url="", media=str(path), extractor="file", title="", channel="", license="", upload_date="",
        language="", retrieved_at="", duration=4.0, width=320, height=240,
    )  # fmt: skip
    folder.save(video, "")
    assert len(FindScenes(ScenesConfig()).run(folder).scenes) == 2


def test_a_long_scene_gets_a_frame_for_every_stretch(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [Scene(picture=picture(0), seconds=21.0)], VideoStyle(audio="silent"))
    config = ScenesConfig(key_frames=KeyFrameConfig(stretch_s=8.0))
    (scene,) = scenes_of(tmp_path / "a.mp4", config)[0].scenes
    assert [(frame.start, frame.end) for frame in scene.frames] == [(0.0, 8.0), (8.0, 16.0), (16.0, scene.end)]
    assert all(frame.start <= frame.time < frame.end for frame in scene.frames)


def test_a_short_rest_of_a_long_scene_joins_the_stretch_before(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [Scene(picture=picture(0), seconds=18.0)], VideoStyle(audio="silent"))
    config = ScenesConfig(key_frames=KeyFrameConfig(stretch_s=8.0))
    (scene,) = scenes_of(tmp_path / "a.mp4", config)[0].scenes
    assert [(frame.start, frame.end) for frame in scene.frames] == [(0.0, 8.0), (8.0, scene.end)]


def test_large_pictures_are_stored_at_the_size_asked_for(tmp_path: Path) -> None:
    large = np.kron(picture(0), np.ones((4, 4, 1), dtype=np.uint8))
    write_video(tmp_path / "a.mp4", [Scene(picture=large, seconds=1.0)], VideoStyle(audio="silent"))
    scenes, folder = scenes_of(tmp_path / "a.mp4")
    (frame,) = scenes.scenes[0].frames
    assert (frame.width, frame.height) == (512, 384)
    with Image.open(folder.path / frame.file) as stored:
        assert stored.size == (512, 384)


def test_a_blank_scene_is_told_by_its_contrast(tmp_path: Path) -> None:
    scenes = [Scene(picture=blank(255), seconds=1.5), Scene(picture=picture(0), seconds=1.5)]
    write_video(tmp_path / "a.mp4", scenes, VideoStyle(audio="silent"))
    found, _ = scenes_of(tmp_path / "a.mp4")
    white, drawn = (scene.frames[0] for scene in found.scenes)
    assert white.contrast < 1 < 10 < drawn.contrast


def test_the_same_video_gives_the_same_records_and_pictures(tmp_path: Path) -> None:
    make(tmp_path / "a.mp4", ["cut", "fade", "dissolve"])
    found = []
    for name in ("one", "two"):
        folder = folder_of(tmp_path / "a.mp4", tmp_path / name)
        scenes = FindScenes(ScenesConfig()).run(folder)
        found.append((scenes, [path.read_bytes() for path in sorted((folder.path / "frames").iterdir())]))
    assert found[0] == found[1]


def test_a_turned_picture_is_stored_upright(tmp_path: Path) -> None:
    """A phone held upright stores its frames lying, with a note of how to turn them."""
    make(tmp_path / "lying.mp4", ["cut"])
    with av.open(str(tmp_path / "lying.mp4")) as source, av.open(str(tmp_path / "a.mp4"), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    upright, quarter = (b"".join(value.to_bytes(4, "big", signed=True) for value in matrix) for matrix in (
        (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000),
        (0, 0x10000, 0, -0x10000, 0, 0, 240 * 0x10000, 0, 0x40000000),
    ))  # fmt: skip
    place = content.index(upright, content.index(b"tkhd"))
    content[place : place + 36] = quarter
    (tmp_path / "a.mp4").write_bytes(content)
    scenes, folder = scenes_of(tmp_path / "a.mp4")
    (frame,) = scenes.scenes[0].frames
    assert (frame.width, frame.height) == (240, 320)
    shown = np.asarray(Image.open(folder.path / frame.file).convert("RGB"), dtype=float)
    assert float(np.abs(shown - np.rot90(picture(0), k=-1)).mean()) < 8


def test_files_that_are_no_videos_are_refused_with_their_reason(tmp_path: Path, mute: Path) -> None:
    make(tmp_path / "whole.mp4", ["cut"])
    files = {
        write_text(tmp_path / "letter.mp4"): Reason.CORRUPT,
        write_truncated(tmp_path / "torn.mp4", whole=tmp_path / "whole.mp4"): Reason.CORRUPT,
        write_playlist(tmp_path / "list.mp4", target=str(tmp_path / "whole.mp4")): Reason.CORRUPT,
        write_playlist(tmp_path / "list.m3u8", target=str(tmp_path / "whole.mp4")): Reason.CORRUPT,
        mute: Reason.NO_AUDIO,
        tmp_path / "nowhere.mp4": Reason.GONE,
    }
    for path, reason in files.items():
        with pytest.raises(StageError) as caught:
            folder_of(path, tmp_path / "work")
        assert caught.value.reason is reason, path


def test_a_damaged_end_costs_only_the_end(tmp_path: Path) -> None:
    make(tmp_path / "whole.webm", ["cut"] * 4, VideoStyle(audio="silent", codec="vp9"))
    torn = write_truncated(tmp_path / "torn.webm", whole=tmp_path / "whole.webm", share=0.7)
    scenes, _ = scenes_of(torn)
    assert len(scenes.scenes) >= 2


def test_alike_pictures_differ_in_few_bits_of_their_hash() -> None:
    luma, other = np.random.default_rng(0).integers(0, 200, (2, 6, 8), dtype=np.uint8).repeat(40, 1).repeat(40, 2)
    brighter = luma + np.uint8(20)

    def distance(first: Picture, second: Picture) -> int:
        return (int(difference_hash(first), 16) ^ int(difference_hash(second), 16)).bit_count()

    assert distance(luma, brighter) <= 4
    assert distance(luma, other) >= 16


def test_the_facts_of_a_file_are_kept(tmp_path: Path) -> None:
    truth = make(tmp_path / "My lesson.mp4", ["cut"])
    video = folder_of(tmp_path / "My lesson.mp4", tmp_path / "work").load(Video)
    assert (video.url, video.title or "My lesson") == ("file:My lesson.mp4", "My lesson")
    assert (video.width, video.height) == (320, 240)
    assert video.duration == pytest.approx(truth.seconds, abs=0.2)
