"""One optimizer step, on a model so small that the right answer is known."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from train.batch import Batch
from train.step import TOTAL, Learnt, Micro, Stepper, chance


class Line(nn.Module):
    """Learns to answer every row with nothing, in the mean; what is drawn for a batch is the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2, bias=False)
        nn.init.ones_(self.linear.weight)
        self.seen: list[torch.dtype] = []  # what the products were computed in

    def forward(self, _batch: Batch, rows: Tensor) -> dict[str, Tensor]:
        answers = self.linear(rows)
        self.seen.append(answers.dtype)
        return {TOTAL: answers.float().square().mean()}

    def learn(self, batch: Batch, parts: Sequence[Tensor], *, clip: float = 1e9, bf16: bool = False) -> Learnt:
        """One step of plain descent at a rate of 1."""
        stepper = Stepper(self, torch.optim.SGD(self.parameters(), lr=1.0, fused=True), clip=clip, bf16=bf16)
        return stepper.take([Micro(batch=batch, drawn=part, seed=0) for part in parts], count=len(parts))


@pytest.fixture(scope="module")
def rows() -> Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


def test_a_step_in_parts_is_that_of_all_rows_at_once(batch: Batch, rows: Tensor) -> None:
    whole, parts = Line(), Line()
    wanted, found = whole.learn(batch, [rows]), parts.learn(batch, [*rows.chunk(4)])
    assert torch.allclose(parts.linear.weight, whole.linear.weight, atol=1e-6)
    assert found.gradient_norm.item() == pytest.approx(wanted.gradient_norm.item(), rel=1e-5)
    assert found.values[TOTAL].item() == pytest.approx(wanted.values[TOTAL].item(), rel=1e-5)


def test_a_gradient_longer_than_the_limit_is_cut_to_it(batch: Batch, rows: Tensor) -> None:
    free, held = Line(), Line()
    assert free.learn(batch, [rows]).gradient_norm > 0.5
    told = held.learn(batch, [rows], clip=0.25).gradient_norm
    assert told > 0.5, "the norm is that of before"
    assert (held.linear.weight - 1).norm().item() == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize(("bf16", "wanted"), [(False, torch.float32), (True, torch.bfloat16)])
def test_products_are_computed_in_the_precision_that_is_set(
    batch: Batch, rows: Tensor, bf16: bool, wanted: torch.dtype
) -> None:
    line = Line()
    line.learn(batch, [rows], bf16=bf16)
    assert line.seen == [wanted]


def test_chance_is_another_in_each_step_micro_batch_process_and_run() -> None:
    seeds = {
        chance(seed, step=step, micro=micro, rank=rank)
        for seed in range(3)
        for step in range(3)
        for micro in range(3)
        for rank in range(3)
    }
    assert len(seeds) == 3**4
