"""The model: what its outputs may depend on."""

import pytest
import torch

from configs.loading import load
from tests.train.small import SMALL_SETTINGS, small_model
from train.batch import Batch
from train.commands.objective import make_objective
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.models.embeddings import ImageInput, TextInput, patchify, shown_patches, whole_image
from train.models.layers import timm_model
from train.models.vilt import Vilt


def text_of(batch: Batch) -> TextInput:
    return TextInput(tokens_RL=batch.tokens_BL, real_RL=batch.real_BL)


def image_of(model: Vilt, batch: Batch) -> ImageInput:
    return whole_image(model.patchify(batch.images_BCSS))


def test_a_model_of_timm_is_found_by_its_name() -> None:
    assert timm_model("vit_tiny_patch16_224") is not None
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


def test_what_an_encoding_is_does_not_hang_on_the_rest_of_its_batch(model: Vilt, batch: Batch) -> None:
    model.eval()
    whole = model.encode(text_of(batch), image_of(model, batch)).slots_RTD
    image, text = image_of(model, batch), text_of(batch)
    assert text.real_RL is not None
    for rows in (slice(3, 4), slice(5, 16)):
        part = model.encode(
            TextInput(tokens_RL=text.tokens_RL[rows], real_RL=text.real_RL[rows]),
            ImageInput(patches_RKP=image.patches_RKP[rows], places_RK=image.places_RK[rows]),
        )
        assert torch.allclose(part.slots_RTD, whole[rows], atol=1e-5)


def gradients(config: TrainConfig, tokenizer: Tokenizer, batch: Batch) -> dict[str, torch.Tensor]:
    """Of all that is learnt, by a model with some dropout."""
    model, objective = (
        small_model(config, tokenizer),
        make_objective(config, tokenizer),
    )
    torch.manual_seed(0)
    drawn = objective.draw(batch, torch.Generator().manual_seed(0))
    torch.autograd.backward(objective(model, batch, drawn).total)
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def test_computing_activations_again_changes_no_gradient(tokenizer: Tokenizer, batch: Batch) -> None:
    changes = [*SMALL_SETTINGS, "model.dropout=0.1"]
    kept = gradients(load(TrainConfig, "tiny", changes), tokenizer, batch)
    again = gradients(load(TrainConfig, "tiny", [*changes, "model.recompute=true"]), tokenizer, batch)
    assert kept.keys() == again.keys() and len(kept) > 40
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def kept_for_backward(model: Vilt, batch: Batch) -> int:
    """How many numbers an encoding keeps for its backward pass."""
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    text, image = text_of(batch), image_of(model, batch)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.encode(text, image)
    return sum(kept)


def test_with_activations_computed_again_little_is_kept(tokenizer: Tokenizer, batch: Batch) -> None:
    def kept(recompute: bool) -> int:
        changes = [*SMALL_SETTINGS, "model.depth=6", f"model.recompute={recompute}"]
        return kept_for_backward(small_model(load(TrainConfig, "tiny", changes), tokenizer), batch)

    assert kept(recompute=True) < kept(recompute=False) / 6


def test_the_encoder_compiles_as_one_graph_either_way(tokenizer: Tokenizer, batch: Batch) -> None:
    for recompute in (False, True):
        model = small_model(load(TrainConfig, "tiny", [*SMALL_SETTINGS, f"model.recompute={recompute}"]), tokenizer)
        compiled = torch.compile(model.encode, backend="eager", fullgraph=True)
        text, image = text_of(batch), image_of(model, batch)
        assert torch.allclose(compiled(text, image).slots_RTD, model.encode(text, image).slots_RTD, atol=1e-6)


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
