"""The mask plan: who is hidden from whom, and how often."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from train.objectives.masks import MaskConfig, MaskPlan, Mode, ModePlan, draw_plan, row_counts, without_rows
from train.quotas import quotas

ROWS, LENGTH, PATCHES = 60, 20, 16
CHANCE = torch.Generator().manual_seed(1)
REAL_BL = torch.arange(LENGTH) < torch.randint(3, LENGTH + 1, (ROWS, 1), generator=CHANCE)
BEGINS_BL = REAL_BL & (torch.rand(ROWS, LENGTH, generator=CHANCE) < 0.6)
BEGINS_BL[:, 0], BEGINS_BL[:, 1] = False, True


def plan_of(seed: int, config: MaskConfig | None = None) -> MaskPlan:
    generator = torch.Generator().manual_seed(seed)
    return draw_plan(config or MaskConfig(), REAL_BL, patches=PATCHES, generator=generator, begins_BL=BEGINS_BL)


def with_pieces_hidden(plan: MaskPlan) -> list[tuple[ModePlan, torch.Tensor]]:
    """The modes that hide pieces beside others that are seen."""
    chosen = (Mode.JOINT, Mode.IMAGE_HIDDEN, Mode.TEXT_ONLY)
    return [(part, part.hidden_RL) for part in plan.modes if part.mode in chosen and part.hidden_RL is not None]


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


@pytest.mark.parametrize("whole_words", [False, True])
def test_never_are_both_modalities_hidden(whole_words: bool) -> None:
    for seed in range(20):
        for part in plan_of(seed, MaskConfig(whole_words=whole_words)).modes:
            image_seen = part.shown_RK is not None and part.shown_RK.shape[1] > 0
            if part.hidden_RL is None or part.mode is Mode.TEXT_ONLY:
                assert image_seen or part.mode is Mode.TEXT_ONLY
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
            assert part.pieces is not None
            found = part.pieces.slots_H[part.pieces.counted_H]
            assert found.tolist() == part.hidden_RL.flatten().nonzero().squeeze(1).tolist()


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


@pytest.mark.parametrize(
    ("alternate", "counts"),
    [
        ("off", {Mode.JOINT: 60}),
        ("text", {Mode.JOINT: 42, Mode.TEXT_HIDDEN: 12, Mode.TEXT_ONLY: 3, Mode.IMAGE_ONLY: 3}),
        ("image", {Mode.JOINT: 42, Mode.IMAGE_HIDDEN: 12, Mode.TEXT_ONLY: 3, Mode.IMAGE_ONLY: 3}),
    ],
)
def test_the_share_of_a_modality_that_is_never_hidden_is_joint(alternate: str, counts: dict[Mode, int]) -> None:
    plan = plan_of(0, MaskConfig.model_validate({"alternate": alternate}))
    assert {part.mode: len(part.rows_R) for part in plan.modes} == counts


@pytest.mark.parametrize("alternate", ["off", "text", "image", "both"])
def test_rows_of_one_modality_are_used_as_such_and_never_as_pairs(alternate: str) -> None:
    config, lone = MaskConfig.model_validate({"alternate": alternate}), (7, 4)
    for seed in range(5):
        plan = draw_plan(config, REAL_BL, patches=PATCHES, generator=torch.Generator().manual_seed(seed), lone=lone)
        rows = {part.mode: set(part.rows_R.tolist()) for part in plan.modes}
        assert set(range(49, 56)) <= rows[Mode.TEXT_ONLY]
        assert set(range(56, 60)) <= rows[Mode.IMAGE_ONLY]
        assert sorted(row for chosen in rows.values() for row in chosen) == list(range(ROWS))
        counts = row_counts(config, 49, lone)
        assert {mode: len(chosen) for mode, chosen in rows.items()} == {mode: n for mode, n in counts.items() if n}


def test_whole_words_are_hidden_or_none_of_their_pieces() -> None:
    config = MaskConfig(whole_words=True)
    for seed in range(10):
        for part, hidden_RL in with_pieces_hidden(plan_of(seed, config)):
            begins_RL, real_RL = BEGINS_BL[part.rows_R], REAL_BL[part.rows_R]
            goes_on = (real_RL & ~begins_RL)[:, 2:]
            assert torch.equal(hidden_RL[:, 2:][goes_on], hidden_RL[:, 1:-1][goes_on])
            assert not (hidden_RL & ~real_RL).any()
            assert not hidden_RL[:, 0].any()
            if part.mode is Mode.JOINT:
                assert hidden_RL.any(dim=1).all()


def test_of_words_as_many_pieces_are_hidden_as_of_pieces_alone() -> None:
    def share(config: MaskConfig) -> float:
        parts = [parts for seed in range(40) for parts in with_pieces_hidden(plan_of(seed, config))[:1]]
        hidden = sum(hidden_RL.sum().item() for _, hidden_RL in parts)
        return hidden / sum((REAL_BL[part.rows_R].sum() - len(part.rows_R)).item() for part, _ in parts)

    assert share(MaskConfig(whole_words=True)) == pytest.approx(share(MaskConfig()), abs=0.02)


def test_each_word_is_as_likely_to_be_hidden_as_any_other() -> None:
    real_BL = torch.ones(2000, 10, dtype=torch.bool)
    begins_BL = torch.tensor([False, True, False, True, True, True, False, False, True, False]).expand(2000, -1)
    plan = draw_plan(
        MaskConfig(whole_words=True, alternate="off"),
        real_BL,
        patches=PATCHES,
        generator=torch.Generator().manual_seed(0),
        begins_BL=begins_BL,
    )
    ((_, hidden_RL),) = with_pieces_hidden(plan)
    share_L = hidden_RL.float().mean(dim=0)[begins_BL[0]]
    assert share_L.max() - share_L.min() < 0.1  # the longer one is at times too long for what is left


def test_words_of_one_piece_are_hidden_as_pieces_are() -> None:
    plan = draw_plan(MaskConfig(whole_words=True), REAL_BL, patches=PATCHES, generator=torch.Generator().manual_seed(0))
    pieces = draw_plan(MaskConfig(), REAL_BL, patches=PATCHES, generator=torch.Generator().manual_seed(0))
    for (_, words_RL), (_, pieces_RL) in zip(with_pieces_hidden(plan), with_pieces_hidden(pieces), strict=True):
        assert torch.equal(words_RL, pieces_RL)


def test_modes_that_a_small_batch_leaves_without_rows_are_named() -> None:
    assert without_rows(MaskConfig(), 16) == []
    assert without_rows(MaskConfig(), 8) == [Mode.TEXT_ONLY, Mode.IMAGE_ONLY]
    assert without_rows(MaskConfig(), 8, lone=(1, 0)) == [Mode.IMAGE_ONLY]
    assert without_rows(MaskConfig(alternate="off"), 8) == []  # not wanted


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 300), weights=st.lists(st.floats(0.01, 1), min_size=1, max_size=6))
def test_quotas_sum_up_and_are_nearest(rows: int, weights: list[float]) -> None:
    shares = [weight / sum(weights) for weight in weights]
    counts = quotas(shares, rows)
    assert sum(counts) == rows
    assert all(abs(count - share * rows) < 1 for count, share in zip(counts, shares, strict=True))
