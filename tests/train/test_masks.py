"""The mask plan: who is hidden from whom, and how often."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from train.objectives.masks import MaskConfig, MaskPlan, Mode, draw_plan, quotas, without_rows

ROWS, LENGTH, PATCHES = 60, 20, 16
REAL_BL = torch.arange(LENGTH) < torch.randint(3, LENGTH + 1, (ROWS, 1), generator=torch.Generator().manual_seed(1))


def plan_of(seed: int, config: MaskConfig | None = None) -> MaskPlan:
    generator = torch.Generator().manual_seed(seed)
    return draw_plan(config or MaskConfig(), REAL_BL, patches=PATCHES, generator=generator)


def test_the_modes_have_their_shares_and_share_out_all_rows() -> None:
    plan = plan_of(0)
    counts = {part.mode: len(part.rows_R) for part in plan.modes}
    assert counts == {
        Mode.JOINT: 30,
        Mode.TEXT_HIDDEN: 12,
        Mode.IMAGE_HIDDEN: 12,
        Mode.TEXT_ONLY: 3,
        Mode.IMAGE_ONLY: 3,
    }
    assert sorted(torch.cat([part.rows_R for part in plan.modes]).tolist()) == list(range(ROWS))


def test_never_are_both_modalities_hidden() -> None:
    for seed in range(20):
        for part in plan_of(seed).modes:
            image_seen = part.shown_RK is not None and part.shown_RK.shape[1] > 0
            if part.hidden_RL is None:
                assert image_seen
                continue
            seen_RL = ~part.hidden_RL & REAL_BL[part.rows_R]
            text_seen = seen_RL[:, 1:].any(dim=1)
            assert image_seen or text_seen.all()


def test_hidden_text_hides_every_slot_so_its_length_does_not_show() -> None:
    (part,) = (part for part in plan_of(0).modes if part.mode is Mode.TEXT_HIDDEN)
    assert part.hidden_RL is not None and part.shown_RK is not None
    assert part.hidden_RL[:, 1:].all()
    assert part.shown_RK.shape[1] == PATCHES


def test_patches_are_either_shown_or_hidden() -> None:
    for part in plan_of(0).modes:
        if part.mode in (Mode.JOINT, Mode.IMAGE_ONLY):
            assert part.shown_RK is not None and part.hidden_RM is not None
            assert part.shown_RK.shape[1] == PATCHES // 4
            both = torch.cat([part.shown_RK, part.hidden_RM], dim=1).sort(dim=1).values
            assert (both == torch.arange(PATCHES)).all()


def test_the_text_ratio_is_drawn_evenly_between_its_bounds() -> None:
    ratios = []
    for seed in range(60):
        part = plan_of(seed).modes[0]
        assert part.hidden_RL is not None
        pieces_R = REAL_BL[part.rows_R].sum(dim=1) - 1
        long = pieces_R >= 15
        ratios += (part.hidden_RL.sum(dim=1)[long] / pieces_R[long]).tolist()
    ratio = torch.tensor(ratios)
    assert 0.26 <= ratio.min() < 0.34
    assert 0.71 < ratio.max() <= 0.79
    assert abs(ratio.mean().item() - 0.525) < 0.02


def test_padding_and_the_first_slot_are_never_chosen() -> None:
    for part in plan_of(0).modes:
        if part.hidden_RL is not None and part.mode is not Mode.TEXT_HIDDEN:
            assert not (part.hidden_RL & ~REAL_BL[part.rows_R]).any()
            assert not part.hidden_RL[:, 0].any()
            assert part.hidden_RL.sum(dim=1).max() <= part.text_budget


def test_the_generator_alone_decides() -> None:
    def numbers(plan: MaskPlan) -> list[torch.Tensor]:
        return [part.rows_R for part in plan.modes] + [
            part.hidden_RL for part in plan.modes if part.hidden_RL is not None
        ]

    torch.manual_seed(1)
    first = numbers(plan_of(7))
    torch.manual_seed(2)
    again = numbers(plan_of(7))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], numbers(plan_of(8))[0])


@pytest.mark.parametrize("written", ["off", False])  # a bare `off` in YAML arrives as False
def test_without_alternation_every_row_is_joint(written: object) -> None:
    config = MaskConfig.model_validate({"alternate": written})
    assert [part.mode for part in plan_of(0, config).modes] == [Mode.JOINT]


def test_modes_that_a_small_batch_leaves_without_rows_are_named() -> None:
    assert without_rows(MaskConfig(), 16) == []
    assert without_rows(MaskConfig(), 8) == [Mode.TEXT_ONLY, Mode.IMAGE_ONLY]
    assert without_rows(MaskConfig(alternate="off"), 8) == []  # not wanted


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 300), weights=st.lists(st.floats(0.01, 1), min_size=1, max_size=6))
def test_quotas_sum_up_and_are_nearest(rows: int, weights: list[float]) -> None:
    shares = [weight / sum(weights) for weight in weights]
    counts = quotas(shares, rows)
    assert sum(counts) == rows
    assert all(abs(count - share * rows) < 1 for count, share in zip(counts, shares, strict=True))
