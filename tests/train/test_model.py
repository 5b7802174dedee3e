"""The model: what its outputs may depend on, and what it can be started from."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.train.small import small_model
from train.batch import Batch
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.errors import InitialisationError
from train.models.embeddings import ImageInput, TextInput, patchify, shown_patches, whole_image
from train.models.initialise import for_our_pixels, start_from_vit
from train.models.layers import timm_model
from train.models.vilt import Vilt


def text_of(batch: Batch) -> TextInput:
    return TextInput(tokens_RL=batch.tokens_BL, real_RL=batch.real_BL)


def image_of(model: Vilt, batch: Batch) -> ImageInput:
    return whole_image(model.patchify(batch.images_BCSS))


def test_timm_can_be_imported_in_a_fresh_process_whatever_torch_was_installed() -> None:
    program = "from train.models.layers import timm_model; raise SystemExit(timm_model('vit_tiny_patch16_224') is None)"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert timm_model("not_a_model") is None


def test_weights_depend_on_the_seed_alone(config: TrainConfig, tokenizer: Tokenizer) -> None:
    torch.manual_seed(1)
    first = small_model(config, tokenizer)
    torch.manual_seed(2)
    second = small_model(config, tokenizer)
    other = small_model(config.model_copy(update={"seed": 9}), tokenizer)
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert not torch.equal(first.text.pieces.weight, other.text.pieces.weight)


def test_patches_run_from_the_upper_left_row_by_row() -> None:
    images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    images[0, :, 0:4, 4:8] = 255  # upper right
    patches = patchify(images, 4)
    assert patches.shape == (1, 4, 48)
    assert [bool((patch > 0).all()) for patch in patches[0]] == [False, True, False, False]


def test_padding_does_not_change_what_a_caption_means(model: Vilt, batch: Batch) -> None:
    changed = batch.tokens_BL.masked_fill(~batch.real_BL, 7)
    points = model.embed_texts(text_of(batch))
    again = model.embed_texts(TextInput(tokens_RL=changed, real_RL=batch.real_BL))
    assert torch.allclose(points, again, atol=1e-6)


def test_shown_patches_keep_their_places_in_any_order(model: Vilt, batch: Batch) -> None:
    patches = model.patchify(batch.images_BCSS)
    backwards = torch.arange(model.patches).flip(0).expand(len(patches), -1)
    forth, back = model.embed_images(whole_image(patches)), model.embed_images(shown_patches(patches, backwards))
    assert torch.allclose(forth, back, atol=1e-5)


def test_the_same_patches_elsewhere_are_another_image(model: Vilt, batch: Batch) -> None:
    patches = model.patchify(batch.images_BCSS)
    points, moved = model.embed_images(whole_image(patches)), model.embed_images(whole_image(patches.flip(1)))
    assert not torch.allclose(points, moved, atol=1e-3)


def test_two_calls_give_equal_outputs(model: Vilt, batch: Batch) -> None:
    model.eval()
    first = model.encode(text_of(batch), image_of(model, batch)).slots_RTD
    assert torch.equal(first, model.encode(text_of(batch), image_of(model, batch)).slots_RTD)


def vit_weights(config: TrainConfig, *, width: int, depth: int, tmp_path: Path) -> Path:
    """A ViT's weights under timm's names."""
    torch.manual_seed(0)
    patch, patches = config.model.patch, (config.data.image_size // config.model.patch) ** 2
    weights = {
        "cls_token": torch.randn(1, 1, width),
        "pos_embed": torch.randn(1, patches + 1, width),
        "patch_embed.proj.weight": torch.randn(width, 3, patch, patch),
        "patch_embed.proj.bias": torch.randn(width),
        "norm.weight": torch.randn(width),
        "norm.bias": torch.randn(width),
        "head.weight": torch.randn(10, width),
    }
    shapes = {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "attn.qkv.weight": (3 * width, width),
        "attn.qkv.bias": (3 * width,),
        "attn.proj.weight": (width, width),
        "attn.proj.bias": (width,),
        "mlp.fc1.weight": (4 * width, width),
        "mlp.fc1.bias": (4 * width,),
        "mlp.fc2.weight": (width, 4 * width),
        "mlp.fc2.bias": (width,),
    }
    weights |= {f"blocks.{n}.{name}": torch.randn(shape) for n in range(depth) for name, shape in shapes.items()}
    path = tmp_path / "vit.safetensors"
    save_file(weights, path)
    return path


def test_a_vits_patch_projection_means_the_same_here(model: Vilt, config: TrainConfig, tmp_path: Path) -> None:
    path = vit_weights(config, width=32, depth=2, tmp_path=tmp_path)
    before = model.text.pieces.weight.clone()
    start_from_vit(model, str(path))
    theirs = load_file(path)
    pixels = torch.randn(1, 3, 48, 48)
    convolved = torch.nn.functional.conv2d(
        pixels, theirs["patch_embed.proj.weight"], theirs["patch_embed.proj.bias"], stride=16
    )
    cut = pixels.reshape(1, 3, 3, 16, 3, 16).permute(0, 2, 4, 3, 5, 1).reshape(1, 9, -1)
    ours = model.image.project(cut)
    assert torch.allclose(ours, convolved.flatten(2).transpose(1, 2), atol=1e-4)
    assert torch.equal(model.state_dict()["blocks.1.mlp.fc2.weight"], theirs["blocks.1.mlp.fc2.weight"])
    assert torch.equal(model.text.pieces.weight, before)


def test_a_vit_for_other_pixels_gives_the_same_on_ours(model: Vilt, config: TrainConfig, tmp_path: Path) -> None:
    known = timm_model("vit_tiny_patch16_224")  # one of the many that were trained on pixels from -1 to 1
    assert known is not None and known.mean == known.std == (0.5, 0.5, 0.5)
    theirs = load_file(vit_weights(config, width=32, depth=2, tmp_path=tmp_path))
    ours = for_our_pixels(theirs, mean=known.mean, std=known.std)
    save_file(ours, tmp_path / "ours.safetensors")
    start_from_vit(model, str(tmp_path / "ours.safetensors"))
    images = torch.randint(0, 256, (2, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    pixels = (images.float() / 255 - 0.5) / 0.5
    convolved = torch.nn.functional.conv2d(
        pixels, theirs["patch_embed.proj.weight"], theirs["patch_embed.proj.bias"], stride=16
    )
    projected = model.image.project(model.patchify(images))
    assert torch.allclose(projected, convolved.flatten(2).transpose(1, 2), atol=1e-3)


def test_a_vit_with_more_in_its_blocks_is_told_apart_from_a_deeper_one(
    model: Vilt, config: TrainConfig, tmp_path: Path
) -> None:
    deeper = vit_weights(config, width=32, depth=3, tmp_path=tmp_path)
    with pytest.raises(InitialisationError, match=r"set model\.depth"):
        start_from_vit(model, str(deeper))
    weights = load_file(vit_weights(config, width=32, depth=2, tmp_path=tmp_path))
    save_file(weights | {"blocks.0.ls1.gamma": torch.ones(32)}, tmp_path / "scaled.safetensors")
    with pytest.raises(InitialisationError, match="choose a plain one"):
        start_from_vit(model, str(tmp_path / "scaled.safetensors"))


def test_the_temperature_stops_at_its_limit_and_comes_back(model: Vilt) -> None:
    model.log_scale.data.fill_(9.0)
    model.limit_scale()
    assert model.scale().item() == pytest.approx(100)
    (gradient,) = torch.autograd.grad(model.scale(), model.log_scale)
    assert gradient.item() == pytest.approx(100)  # it can fall again


@pytest.mark.parametrize("positions", ["learned", "sincos"])
def test_places_are_trained_or_fixed_as_asked(config: TrainConfig, tokenizer: Tokenizer, positions: str) -> None:
    settings = config.model_copy(update={"model": config.model.model_copy(update={"positions": positions})})
    built = small_model(settings, tokenizer)
    trained = {name for name, _ in built.named_parameters() if "places" in name}
    assert trained == ({"text.places_LD", "image.places_ND"} if positions == "learned" else set())
    assert {"text.places_LD", "image.places_ND", "decoder.places_ND"} <= built.state_dict().keys()


@pytest.mark.parametrize(("width", "depth"), [(64, 2), (32, 1), (32, 3)])
def test_a_vit_of_another_shape_is_one_sentence(
    model: Vilt, config: TrainConfig, tmp_path: Path, width: int, depth: int
) -> None:
    path = vit_weights(config, width=width, depth=depth, tmp_path=tmp_path)
    with pytest.raises(InitialisationError, match=r"vit\.safetensors (does not fit|lacks|has a weight)"):
        start_from_vit(model, str(path))


def test_weights_that_are_nowhere_are_one_sentence(model: Vilt, tmp_path: Path) -> None:
    with pytest.raises(InitialisationError, match="nor a model that timm knows"):
        start_from_vit(model, "vit_of_nobody")
    (tmp_path / "torn.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(InitialisationError, match="cannot be read"):
        start_from_vit(model, str(tmp_path / "torn.safetensors"))
