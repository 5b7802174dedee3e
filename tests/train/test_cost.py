"""What a run is said to cost, against what torch counts and what a process really holds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from configs.loading import load
from tests.train.small import SMALL_SETTINGS
from train.cli import main
from train.commands.plan import Request, plan
from train.config import TrainConfig
from train.cost import GIB, count_parameters, flops_per_step, geometry_of, largest_rows, memory
from train.errors import RequestError
from train.models.cost import block_flops, forward_flops
from train.models.vilt import Vilt
from train.objectives.passes import blank_batch, step_passes
from train.objectives.pretraining import Pretraining

BASE = load(TrainConfig, "base")


def built(config: TrainConfig) -> tuple[Vilt, Pretraining]:
    geometry = geometry_of(config, config.tokenizer.vocabulary)
    model = Vilt(
        config.model, vocabulary=geometry.vocabulary, text_length=geometry.text_length, image_size=geometry.image_size
    )
    model.reset_weights(torch.Generator().manual_seed(0))
    return model, Pretraining(config.objective, mask_token=3, patches=geometry.patches)


@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("objective.contrastive.shown=0.5", "objective.matching.weight=1"),
        ("objective.alternate=off", "objective.contrastive.weight=0", "model.decoder_depth=2"),
        ("objective.weights.hidden_text_bow=0", "objective.weights.joint_image=0"),
    ],
)
def test_operations_are_those_that_torch_counts_in_a_real_step(changes: tuple[str, ...]) -> None:
    config = load(TrainConfig, "tiny", ["tokenizer.vocabulary=512", "data.batch_size=20", *changes])
    model, objective = built(config)
    geometry = geometry_of(config, 512)
    batch = blank_batch(geometry, 20)
    drawn = objective.draw(batch, torch.Generator().manual_seed(0))
    # Written out as products: torch does not count the CPU's fused attention.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as forward:
        total = objective(model, batch, drawn).total
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as backward:
        torch.autograd.backward(total)
    passes = step_passes(config.objective, geometry, rows=20)
    counted = sum(run.rows * forward_flops(geometry, run) for run in passes)
    assert counted == pytest.approx(forward.get_total_flops(), rel=0.002)
    assert flops_per_step(config, 512) == pytest.approx(
        forward.get_total_flops() + backward.get_total_flops(), rel=0.02
    )


def test_vilt_b32_takes_the_operations_that_its_geometry_says() -> None:
    """12 blocks of width 768 over 40 slots of text, the summary and 49 patches: 15.6 GFLOP."""
    assert 12 * block_flops(40 + 1 + 49, 768) == pytest.approx(15.6e9, rel=0.01)


def test_rows_without_an_image_or_a_text_take_fewer_operations_than_pairs() -> None:
    config = load(TrainConfig, "base", ["data.batch_size=256"])
    pairs = flops_per_step(config, 1000)
    for lone in ((128, 0), (0, 128)):
        assert pairs / 2 < flops_per_step(config, 1000, lone=lone) < 0.9 * pairs


def test_parameters_are_those_of_the_model_that_is_built() -> None:
    config = load(TrainConfig, "tiny", SMALL_SETTINGS)
    model, _ = built(config)
    counted = count_parameters(geometry_of(config, config.tokenizer.vocabulary))
    assert counted.total == sum(parameter.numel() for parameter in model.parameters())
    assert counted.encoder == sum(
        parameter.numel() for part in (model.blocks, model.norm) for parameter in part.parameters()
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_autograd_keeps_is_what_was_counted(precision: str) -> None:
    config = load(TrainConfig, "tiny", [f"trainer.precision={precision}", "objective.matching.weight=1"])
    model, objective = built(config)
    batch = blank_batch(geometry_of(config, config.tokenizer.vocabulary), 40)
    drawn = objective.draw(batch, torch.Generator().manual_seed(0))
    kept = {parameter.untyped_storage().data_ptr(): parameter.new_empty(0) for parameter in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)  # alive, so that no place is taken twice
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
    ):
        objective(model, batch, drawn)
    estimate = memory(config, config.tokenizer.vocabulary, rows=40)
    counted = estimate.activations + estimate.logits + estimate.copies
    assert counted == pytest.approx(sum(tensor.untyped_storage().nbytes() for tensor in kept.values()), rel=0.03)


def held(name: str, rows: int, *changes: str) -> int:
    """Bytes that a process of its own held at most, over what it held before there was a model."""
    command = [sys.executable, "-m", "tests.train.held_memory", name, str(rows), *changes]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    return int(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="counts what Linux tells of a process")
@pytest.mark.parametrize(
    ("name", "rows", "changes"),
    [
        ("tiny", 64, ()),
        pytest.param("tiny", 256, ("model.recompute=true",), marks=pytest.mark.slow),
        pytest.param("tiny", 128, ("objective.matching.weight=1",), marks=pytest.mark.slow),
        pytest.param("small", 24, ("trainer.precision=fp32",), marks=pytest.mark.slow),
        pytest.param("small", 24, ("trainer.precision=fp32", "model.recompute=true"), marks=pytest.mark.slow),
    ],
)
def test_a_process_holds_what_was_estimated(name: str, rows: int, changes: tuple[str, ...]) -> None:
    config = load(TrainConfig, name, changes)
    estimate = memory(config, config.tokenizer.vocabulary, rows=rows)
    assert estimate.total == pytest.approx(held(name, rows, *changes), rel=0.25)


def test_each_way_to_need_less_memory_lowers_its_own_item() -> None:
    whole = memory(BASE, 30522, rows=256, world=8)

    def changed(*changes: str) -> TrainConfig:
        return load(TrainConfig, "base", changes)

    again = memory(changed("model.recompute=true"), 30522, rows=256, world=8)
    assert again.activations < whole.activations / 3 and again.fixed == whole.fixed
    cut = memory(changed("trainer.parallel=fsdp"), 30522, rows=256, world=8)
    assert cut.optimizer == pytest.approx(whole.optimizer / 8, rel=1e-6) and cut.activations == whole.activations
    assert cut.fixed < whole.fixed / 2
    exact = memory(changed("trainer.precision=fp32"), 30522, rows=256, world=8)
    assert exact.activations > 1.5 * whole.activations
    averaged = memory(changed("optim.ema=0.999"), 30522, rows=256, world=8)
    assert averaged.ema == averaged.weights and averaged.total == whole.total + averaged.ema


def test_the_largest_batch_fits_and_the_next_does_not() -> None:
    for config in (BASE, load(TrainConfig, "base", ["model.recompute=true"])):
        rows = largest_rows(config, 30522, free=40 * GIB)
        assert rows.bit_count() == 1
        assert memory(config, 30522, rows=rows).total <= 40 * GIB < memory(config, 30522, rows=2 * rows).total
    assert largest_rows(BASE, 30522, free=GIB) == 0


def asked(config: TrainConfig, *, card: float = 80, world: int = 1, out: Path | None = None) -> Request:
    return Request(config=config, rows=None, world=world, card=card, tflops=400, out=out)


def test_a_plan_tells_hours_and_writes_flat_figures(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "plan.json"
    found = plan(asked(BASE, out=out))
    stored = json.loads(out.read_text(encoding="utf-8"))
    assert stored == dict(found.figures)
    assert all(isinstance(value, (int, float)) for value in stored.values())
    assert stored["hours"] == pytest.approx(200_000 * stored["flops_per_step"] / (400e12 * 0.45) / 3600)
    assert stored["flops_per_step"] == pytest.approx(flops_per_step(BASE, 30522), rel=0.01)
    assert stored["bytes"] == sum(value for name, value in stored.items() if name.startswith("bytes_"))
    assert plan(asked(BASE, world=8)).figures["hours"] == pytest.approx(stored["hours"] / 8, rel=0.01)


def test_what_is_advised_makes_it_fit() -> None:
    assert "It fits" in plan(asked(BASE)).advice
    small_card = plan(asked(BASE, card=24))
    assert "does not fit" in small_card.advice
    parts = small_card.advice.partition("trainer.accumulate=")[2].partition(" ")[0]
    assert "It fits" in plan(asked(load(TrainConfig, "base", [f"trainer.accumulate={parts}"]), card=24)).advice
    assert "It does not fit" in plan(asked(BASE, card=1)).advice
    together = plan(asked(BASE, card=2.5, world=8)).advice
    assert "model.recompute=true --set trainer.parallel=fsdp" in together


def test_the_command_prints_a_table_and_refuses_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exit_code(*words: str) -> int | str | None:
        monkeypatch.setattr(sys, "argv", ["train", "plan", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code

    assert exit_code("--config", "base", "--rows", "64", "--tflops", "400", "--json", str(tmp_path / "p.json")) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("encoder", "text_hidden", "64 rows at once", "activations", "80 GiB", " h"))
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))["rows"] == 64
    assert exit_code("--config", "base", "--world", "3") == 2
    assert exit_code("--set", "model.widht=3") == 2


def test_a_batch_that_cannot_be_dealt_out_is_a_sentence() -> None:
    with pytest.raises(RequestError, match="multiple of 3"):
        plan(asked(BASE, world=3))
