"""JPEG bytes to pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from train.data.config import AugmentConfig, DataConfig
from train.data.transforms import evaluation_pixels, training_pixels
from train.errors import DataError

CROP = DataConfig(image_size=32)
SQUEEZE = DataConfig(image_size=32, fit="squeeze")
AUGMENT = DataConfig(image_size=32, augment=AugmentConfig(shift=0.2, brightness=0.3, contrast=0.3))


def jpeg(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(picture).save(stored, "JPEG", quality=95)
    return stored.getvalue()


@pytest.fixture
def flag() -> bytes:
    """320 x 240: the outer 40 columns blue on the left and green on the right, between them red | white."""
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:, :40, 2] = picture[:, 280:, 1] = 255
    picture[:, 40:160, 0] = 255
    picture[:, 160:280] = 255
    return jpeg(picture)


def test_the_centre_is_cut_out_at_the_wanted_size(flag: bytes) -> None:
    pixels = evaluation_pixels(flag, CROP).astype(int)
    assert pixels.shape == (32, 32, 3)
    assert np.abs(pixels[16, 4] - (255, 0, 0)).max() < 12
    assert np.abs(pixels[16, 28] - 255).max() < 12


def test_squeezing_keeps_the_whole_frame(flag: bytes) -> None:
    pixels = evaluation_pixels(flag, SQUEEZE).astype(int)
    assert np.abs(pixels[16, 1] - (0, 0, 255)).max() < 20
    assert np.abs(pixels[16, 30] - (0, 255, 0)).max() < 20


def test_decoding_at_a_smaller_scale_gives_nearly_the_same_pixels(flag: bytes) -> None:
    scaled = evaluation_pixels(flag, CROP).astype(int)
    with Image.open(io.BytesIO(flag)) as image:
        full = np.asarray(image.crop((40, 0, 280, 240)).resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(scaled - full).mean() < 4


def test_augmentation_is_decided_by_its_seed_and_leaves_left_on_the_left(flag: bytes) -> None:
    drawn = [training_pixels(flag, AUGMENT, seed=(0, 0, ordinal)) for ordinal in range(20)]
    assert np.array_equal(drawn[3], training_pixels(flag, AUGMENT, seed=(0, 0, 3)))
    assert len({pixels.tobytes() for pixels in drawn}) == 20
    for pixels in drawn:
        left, right = pixels[16, 8].astype(int), pixels[16, 24].astype(int)
        assert left[0] - left[1] > 100  # red
        assert abs(right[0] - right[1]) < 20  # white


def test_without_augmentation_training_sees_what_evaluation_sees(flag: bytes) -> None:
    assert np.array_equal(training_pixels(flag, CROP, seed=(1, 2, 3)), evaluation_pixels(flag, CROP))


def test_a_grey_jpeg_has_three_colours() -> None:
    assert evaluation_pixels(jpeg(np.full((48, 64), 99, np.uint8)), CROP).shape == (32, 32, 3)


@pytest.mark.parametrize("damage", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_not_a_jpeg_is_refused(damage: bytes) -> None:
    with pytest.raises(DataError, match="cannot be decoded"):
        evaluation_pixels(damage, CROP)


def test_a_torn_jpeg_is_refused(flag: bytes) -> None:
    with pytest.raises(DataError, match="cannot be decoded"):
        evaluation_pixels(flag[: len(flag) // 2], CROP)


def test_what_libjpeg_turbo_does_not_take_is_decoded_all_the_same() -> None:
    picture = Image.fromarray(np.full((48, 64, 3), (204, 102, 51), np.uint8))
    for kind, mode in (("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB"), ("JPEG", "CMYK")):
        stored = io.BytesIO()
        picture.convert(mode).save(stored, kind)
        pixels = evaluation_pixels(stored.getvalue(), CROP).astype(int)
        assert np.abs(pixels - (204, 102, 51)).max() < 12, (kind, mode)


@pytest.mark.parametrize("size", [(1, 1), (4, 1), (1, 500), (33, 31), (500, 3)])
@pytest.mark.parametrize("fit", ["crop", "squeeze"])
def test_pictures_of_any_shape_fill_the_square(size: tuple[int, int], fit: str) -> None:
    config = DataConfig.model_validate({"image_size": 32, "fit": fit, "augment": {"shift": 0.4}})
    stored = jpeg(np.full((size[1], size[0], 3), 150, np.uint8))
    for seed in range(20):
        assert np.abs(training_pixels(stored, config, seed=(seed,)).astype(int) - 150).max() < 4


def test_a_picture_that_claims_too_many_pixels_is_not_decoded() -> None:
    stored = bytearray(jpeg(np.zeros((16, 16, 3), np.uint8)))
    header = stored.index(b"\xff\xc0")
    stored[header + 5 : header + 9] = b"\x23\x28\x23\x28"  # height and width
    with pytest.raises(DataError, match="9000x9000 pixels is over the limit"):
        evaluation_pixels(bytes(stored), CROP)


def test_draws_are_even() -> None:
    config = DataConfig(image_size=32, augment=AugmentConfig(brightness=0.5))
    grey = jpeg(np.full((40, 40, 3), 100, np.uint8))
    levels = [training_pixels(grey, config, seed=(7, 1, ordinal)).mean() for ordinal in range(300)]
    assert 50 <= min(levels) < 55 < 145 < max(levels) <= 150
    assert abs(float(np.mean(levels)) - 100) < 5
