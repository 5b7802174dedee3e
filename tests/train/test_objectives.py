"""Objectives on a real model: who learns from what."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from train.batch import Batch
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.models.vilt import Vilt
from train.objectives.base import Losses, Objective
from train.objectives.config import ObjectiveConfig, learnt, untaught
from train.objectives.masked import MaskedConfig, MaskedModeling, MaskedWeights
from train.objectives.masks import ModeShares
from train.objectives.pretraining import Pretraining
from train.optim import make_optimizer
from train.rows import Rows

TERMS = {
    "joint_text",
    "joint_image",
    "hidden_text",
    "hidden_text_bow",
    "hidden_image",
    "hidden_image_text",
    "lone_text",
    "lone_image",
    "contrastive",
}


def objective_of(config: TrainConfig, tokenizer: Tokenizer, **settings: object) -> Objective[Any]:
    patches = (config.data.image_size // config.model.patch) ** 2
    return Pretraining(with_settings(config, **settings), mask_token=tokenizer.mask, patches=patches)


def with_settings(config: TrainConfig, **settings: object) -> ObjectiveConfig:
    return ObjectiveConfig.model_validate(config.objective.model_dump() | settings)


def losses_of(objective: Objective[Any], model: Vilt, batch: Batch, generator: torch.Generator) -> Losses:
    return objective(model, batch, objective.draw(batch, generator))


def values(losses: Losses) -> dict[str, float]:
    return {term.name: term.value.item() for term in losses.terms}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def first(batch: Batch, rows: int) -> Batch:
    names = ("images_BCSS", "tokens_BL", "real_BL", "begins_BL", "videos_B", "align_B", "keys", "captions")
    return replace(batch, **{name: getattr(batch, name)[:rows] for name in names})


def doubled(batch: Batch) -> Batch:
    """Enough rows for every mode."""
    return replace(
        batch,
        images_BCSS=batch.images_BCSS.repeat(2, 1, 1, 1),
        tokens_BL=batch.tokens_BL.repeat(2, 1),
        real_BL=batch.real_BL.repeat(2, 1),
        begins_BL=batch.begins_BL.repeat(2, 1),
        videos_B=batch.videos_B.repeat(2),
        align_B=batch.align_B.repeat(2),
    )


def test_every_parameter_receives_a_gradient(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    objective = objective_of(config, tokenizer, matching={"weight": 1})
    losses = losses_of(objective, model, doubled(batch), generator())
    assert set(values(losses)) == TERMS | {"matching"}
    torch.autograd.backward(losses.total)
    assert [name for name, parameter in model.named_parameters() if not gradient_of(parameter).any()] == []


def gradient_of(parameter: torch.nn.Parameter) -> torch.Tensor:
    return torch.zeros(()) if parameter.grad is None else parameter.grad


@pytest.mark.parametrize("matching", [0, 1])
@pytest.mark.parametrize("contrastive", [0, 1])
@pytest.mark.parametrize("alternate", ["off", "text", "image", "both"])
def test_exactly_what_no_term_reaches_is_named_as_untaught(
    model: Vilt,
    batch: Batch,
    config: TrainConfig,
    tokenizer: Tokenizer,
    alternate: str,
    contrastive: int,
    matching: int,
) -> None:
    if matching and not contrastive:
        with pytest.raises(ValueError, match="give contrastive a weight above 0"):
            with_settings(config, matching={"weight": 1}, contrastive={"weight": 0})
        return
    settings = {"alternate": alternate, "contrastive": {"weight": contrastive}, "matching": {"weight": matching}}
    assert_untaught_gets_no_gradient(model, batch, config, tokenizer, settings)


@pytest.mark.parametrize(
    ("heavy", "lone"),
    [
        (("joint_image",), (0, 0)),
        (("joint_text",), (0, 0)),
        (("hidden_text",), (0, 0)),
        (("hidden_text_bow", "hidden_image"), (0, 0)),
        (("hidden_image_text",), (0, 0)),
        (("lone_text",), (0, 0)),
        (("lone_image",), (0, 0)),
        (("lone_image",), (0, 16)),
        (("joint_text", "lone_text"), (16, 0)),
        (("joint_text", "hidden_image"), (3, 2)),
    ],
)
def test_terms_that_weigh_nothing_teach_nothing(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer, heavy: tuple[str, ...], lone: tuple[int, int]
) -> None:
    weights = {name: int(name in heavy) for name in MaskedWeights.model_fields}
    batch = replace(batch, lone_texts=lone[0], lone_images=lone[1])
    settings = {
        "weights": weights,
        "shares": {"joint": 0.4, "text_hidden": 0.2, "image_hidden": 0.2, "unpaired": 0.2},
        "contrastive": {"weight": 0},
    }
    assert_untaught_gets_no_gradient(model, batch, config, tokenizer, settings)


def assert_untaught_gets_no_gradient(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer, settings: Mapping[str, object]
) -> None:
    objective = objective_of(config, tokenizer, **settings)
    torch.autograd.backward(losses_of(objective, model, batch, generator()).total)
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    rows = Rows(pairs=batch.pairs, texts=batch.lone_texts, images=batch.lone_images)
    assert set(untaught(model, with_settings(config, **settings), rows)) == without


def test_settings_under_which_nothing_is_learnt_are_refused(config: TrainConfig) -> None:
    weights = dict.fromkeys(MaskedWeights.model_fields, 0)
    with pytest.raises(ValueError, match="nothing is learnt"):
        with_settings(config, weights=weights, contrastive={"weight": 0})


@pytest.mark.parametrize("alternate", ["off", "text", "image", "both"])
@pytest.mark.parametrize("rows", [2, 8, 16])
def test_what_a_model_learnt_is_what_its_terms_were(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer, alternate: str, rows: int
) -> None:
    settings = with_settings(config, alternate=alternate, matching={"weight": 1})
    batch = first(batch, rows)
    objective = objective_of(config, tokenizer, alternate=alternate, matching={"weight": 1})
    terms = values(losses_of(objective, model, batch, generator()))
    taught = learnt(settings, Rows(pairs=rows))
    assert taught.hidden_pieces == ("hidden_text" in terms)
    assert taught.hidden_bag == ("hidden_text_bow" in terms)
    assert taught.matched == ("matching" in terms)
    assert taught.shared == ("contrastive" in terms)


@pytest.mark.parametrize(
    ("rows", "taught"),
    [
        (Rows(pairs=0, texts=16), (False, False, False)),
        (Rows(pairs=1), (False, False, False)),
        (Rows(pairs=1, processes=2), (True, False, False)),  # each finds a partner in the other process
        (Rows(pairs=16, images=8), (True, True, True)),
    ],
)
def test_what_a_model_learnt_depends_on_the_rows_of_all_processes(
    config: TrainConfig, rows: Rows, taught: tuple[bool, ...]
) -> None:
    found = learnt(with_settings(config, matching={"weight": 1}), rows)
    assert (found.shared, found.matched, found.hidden_pieces) == taught


def test_rows_of_one_modality_are_learnt_from_and_never_paired(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    """What stands in the missing modality's place changes nothing."""
    objective = objective_of(config, tokenizer, matching={"weight": 1})
    batch = replace(batch, lone_texts=5, lone_images=3)
    other = replace(batch, images_BCSS=batch.images_BCSS.clone(), tokens_BL=batch.tokens_BL.clone())
    other.images_BCSS[8:13] = 77
    other.tokens_BL[13:] = 7
    plain, changed = (values(losses_of(objective, model, each, generator())) for each in (batch, other))
    assert plain == changed
    assert {"lone_text", "lone_image", "contrastive", "matching"} <= set(plain)
    other.images_BCSS[13:] = 77
    other.tokens_BL[8:13, 1:] = 7
    now = values(losses_of(objective, model, other, generator()))
    assert {name for name in plain if plain[name] != now[name]} == {"lone_text", "lone_image"}


@pytest.mark.parametrize("lone", [(16, 0), (0, 16), (9, 7)])
def test_a_batch_without_pairs_is_learnt_from(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer, lone: tuple[int, int]
) -> None:
    objective = objective_of(config, tokenizer, matching={"weight": 1}, pair_weights={"by": "loss"})
    losses = losses_of(objective, model, replace(batch, lone_texts=lone[0], lone_images=lone[1]), generator())
    wanted = {name for name, rows in zip(("lone_text", "lone_image"), lone, strict=True) if rows}
    assert set(values(losses)) == wanted
    assert losses.total.isfinite()


def test_right_answers_are_counted(model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer) -> None:
    losses = losses_of(objective_of(config, tokenizer, matching={"weight": 1}), model, batch, generator())
    assert set(losses.accuracies) == {
        *("joint_text", "hidden_text", "hidden_image_text", "lone_text", "contrastive", "matching")
    }
    assert all(0 <= share.item() <= 1 and not share.requires_grad for share in losses.accuracies.values())


def test_the_target_of_hidden_images_is_a_setting(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    def found(**targets: str) -> dict[str, float]:
        objective = objective_of(config, tokenizer, image_target=targets)
        return values(losses_of(objective, model, doubled(batch), generator()))

    default = found()
    assert found(joint="normalised", hidden="standardised") == default
    for hidden in ("lowres", "normalised"):
        other = found(hidden=hidden)
        assert {name for name in default if other[name] != default[name]} == {"hidden_image"}
    assert {name for name, value in found(joint="standardised").items() if value != default[name]} == {
        *("joint_image", "lone_image")
    }


def test_the_total_is_the_weighted_sum(model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer) -> None:
    losses = losses_of(objective_of(config, tokenizer), model, doubled(batch), generator())
    assert losses.total.item() == pytest.approx(sum(term.weight * term.value.item() for term in losses.terms), rel=1e-5)


def test_all_losses_fall_on_a_few_scenes(model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer) -> None:
    objective = objective_of(config, tokenizer)
    optimizer = make_optimizer(model, config.optim.model_copy(update={"lr": 3e-3}))
    masks = generator()
    history = []
    for _ in range(120):
        losses = losses_of(objective, model, doubled(batch), masks)
        torch.autograd.backward(losses.total)
        optimizer.step()
        optimizer.zero_grad()
        history.append(values(losses))
    for name in TERMS:
        early, late = (sum(step[name] for step in steps) / len(steps) for steps in (history[:3], history[-10:]))
        assert late < 0.85 * early, (name, early, late)


def test_a_hidden_caption_cannot_be_seen(model: Vilt, batch: Batch, tokenizer: Tokenizer) -> None:
    """With all text hidden, the encoder's input is the same for any caption; only the target differs."""
    only_hidden = MaskedConfig(shares=ModeShares(joint=0, text_hidden=1, image_hidden=0, unpaired=0))
    seen: list[torch.Tensor] = []
    handle = model.blocks[-1].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    objective = MaskedModeling(only_hidden, mask_token=tokenizer.mask, patches=model.patches)
    shorter = batch.real_BL.clone()
    shorter[:, 4:] = False
    other = replace(batch, tokens_BL=batch.tokens_BL.flip(0) * shorter, real_BL=shorter)
    other.tokens_BL[:, 0] = tokenizer.cls
    first, second = (values(losses_of(objective, model, each, generator())) for each in (batch, other))
    handle.remove()
    assert torch.equal(seen[0], seen[1])
    assert first != second


def test_equal_generators_give_equal_losses(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    objective = objective_of(config, tokenizer)
    assert values(losses_of(objective, model, batch, generator(5))) == values(
        losses_of(objective, model, batch, generator(5))
    )
    assert values(losses_of(objective, model, batch, generator(5))) != values(
        losses_of(objective, model, batch, generator(6))
    )
