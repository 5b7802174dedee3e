"""One training step: ours beside transformers' ViltForMaskedLM with a patch head, at equal width, depth and tokens.

    python -m benchmarks.bench_step [--size tiny|small|base] [--rows N] [--rounds N] [--compile] [--json FILE]

Both learn the same from the same made batch: masked pieces (30 to 75 % of the text) and masked patches (75 % of the
image, normalised pixels), AdamW, clipping. The equal-objectives row is masked modelling alone on either side; the rows
below it show what our other modes and terms cost. bf16 under autocast on a GPU, fp32 on a CPU.

transformers' `visual_embed` draws its patches at random and does not say which, even where all images are alike: a
patch loss on its outputs is wrong. The peer to compare with therefore has it replaced by the plain order, which is
also faster; the model as it is stands beside it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from configs.loading import load
from train.batch import Batch
from train.commands.learner import compile_blocks
from train.config import TrainConfig
from train.cost import flops_per_step
from train.data.order import Position
from train.hardware import peak_flops
from train.models.embeddings import gather_rows, patchify
from train.models.vilt import Vilt
from train.objectives.losses import normalised, patch_loss
from train.objectives.masks import draw_plan
from train.objectives.pretraining import Pretraining
from train.optim import make_optimizer
from train.pace import peak_memory
from train.step import Learning, Micro, Stepper

VOCABULARY = 30_522  # BERT's
MASK = 103
ALONE = ("objective.alternate=off", "objective.contrastive.weight=0")
SIZES = {
    "tiny": ("model.width=192", "model.heads=4", "model.depth=6", "model.decoder_width=128", "model.decoder_heads=4"),
    "small": ("model.width=384", "model.heads=6", "model.decoder_width=256", "model.decoder_heads=4"),
    "base": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A step that can be taken again and again."""

    name: str
    step: Callable[[], object]
    flops_per_row: float  # of training; 0 where nobody counted


def main() -> None:
    options = _options()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(options.threads)
    if options.only:  # a process of its own, whose peak memory is this candidate's
        makers(options, device)[options.only]().step()
        sys.stdout.write(f"{peak_memory(device)}\n")
        return
    candidates = [make() for make in makers(options, device).values()]
    seconds = _interleaved(candidates, rounds=options.rounds, steps=options.steps, device=device)
    memory = {name: _memory_alone(name, options) for name in makers(options, device)}
    figures = _figures(candidates, seconds, memory, options.rows, device)
    _show(candidates, figures, options, device)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def makers(options: argparse.Namespace, device: torch.device) -> dict[str, Callable[[], Candidate]]:
    def ours(name: str, *settings: str) -> Callable[[], Candidate]:
        return lambda: our_step(name, options, device, settings)

    return {
        "ours": ours("ours", *ALONE),
        "hf_fixed": lambda: their_step("hf_fixed", options, device, fixed=True),
        "hf_as_is": lambda: their_step("hf_as_is", options, device, fixed=False),
        "ours_all_modes": ours("ours_all_modes", "objective.contrastive.weight=0"),
        "ours_default": ours("ours_default"),
        "ours_matching": ours("ours_matching", "objective.matching.weight=1"),
    }


def settings_of(options: argparse.Namespace, *more: str) -> TrainConfig:
    wanted = [*SIZES[options.size], f"data.batch_size={options.rows}", *more]
    return load(TrainConfig, "base", wanted)


def made_batch(config: TrainConfig, rows: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    side, length = config.data.image_size, config.data.text_length
    tokens_BL = torch.randint(1000, VOCABULARY, (rows, length), generator=generator)
    tokens_BL[:, 0] = 101
    real_BL = torch.ones_like(tokens_BL, dtype=torch.bool)
    begins_BL = real_BL.clone()
    begins_BL[:, 0] = False
    return Batch(
        images_BCSS=torch.randint(0, 256, (rows, 3, side, side), generator=generator, dtype=torch.uint8),
        tokens_BL=tokens_BL,
        real_BL=real_BL,
        begins_BL=begins_BL,
        videos_B=torch.arange(rows),
        align_B=torch.full((rows,), -1.0),
        captions=("",) * rows,
        keys=("",) * rows,
        after=(Position(),),
    )


def our_step(name: str, options: argparse.Namespace, device: torch.device, settings: tuple[str, ...]) -> Candidate:
    config = settings_of(options, *settings)
    data = config.data
    model = Vilt(config.model, vocabulary=VOCABULARY, text_length=data.text_length, image_size=data.image_size)
    model.reset_weights(torch.Generator().manual_seed(0))
    model.to(device)
    if options.compile:
        compile_blocks(model)
    objective = Pretraining(config.objective, mask_token=MASK, patches=model.patches)
    stepper = Stepper(
        Learning(model, objective), make_optimizer(model, config.optim), clip=1.0, bf16=device.type == "cuda"
    )
    batch = made_batch(config, options.rows)
    masks = torch.Generator().manual_seed(0)

    def step() -> None:
        drawn = objective.draw(batch, masks)  # a new one each time, as in training
        stepper.take([Micro(batch=batch.to(device), drawn=drawn.to(device), seed=0)], count=1)

    return Candidate(name=name, step=step, flops_per_row=flops_per_step(config, VOCABULARY) / options.rows)


class TheirLearning(nn.Module):
    """ViltForMaskedLM and a linear patch head on its outputs, as a person would add one."""

    def __init__(self, config: TrainConfig, *, fixed: bool) -> None:
        super().__init__()
        from transformers import ViltConfig, ViltForMaskedLM

        geometry, data = config.model, config.data
        self.patch = geometry.patch
        self.lm = ViltForMaskedLM(
            ViltConfig(
                vocab_size=VOCABULARY,
                hidden_size=geometry.width,
                num_hidden_layers=geometry.depth,
                num_attention_heads=geometry.heads,
                intermediate_size=4 * geometry.width,
                max_position_embeddings=data.text_length,
                image_size=data.image_size,
                patch_size=geometry.patch,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                max_image_length=-1,
            )
        )
        if fixed:
            self.lm.vilt.embeddings.visual_embed = self._in_plain_order
        self.patch_head = nn.Linear(geometry.width, 3 * geometry.patch**2)

    def _in_plain_order(self, pixel_values: Tensor, pixel_mask: Tensor, **_: Any) -> tuple[Tensor, Tensor, None]:
        embeddings = self.lm.vilt.embeddings
        patches = embeddings.patch_embeddings(pixel_values).flatten(2).transpose(1, 2)
        first = embeddings.cls_token.expand(len(patches), -1, -1)
        vectors = torch.cat([first, patches], dim=1) + embeddings.position_embeddings
        return vectors, pixel_mask.new_ones(vectors.shape[:2]), None

    def forward(self, batch: Batch, hidden_BL: Tensor, hidden_BM: Tensor) -> Tensor:
        patches_BNP = patchify(batch.images_BCSS, self.patch)
        blank_BNP = patches_BNP.scatter(1, hidden_BM.unsqueeze(-1).expand(-1, -1, patches_BNP.shape[-1]), 0.0)
        inputs = batch.tokens_BL.masked_fill(hidden_BL, MASK)
        found = self.lm.vilt(
            input_ids=inputs,
            attention_mask=batch.real_BL.long(),
            pixel_values=_image_of(blank_BNP, self.patch),
            pixel_mask=torch.ones_like(batch.images_BCSS[:, 0], dtype=torch.long),
        ).last_hidden_state
        length = inputs.shape[1]
        labels = batch.tokens_BL.masked_fill(~hidden_BL, -100)
        text = nn.functional.cross_entropy(self.lm.mlm_score(found[:, :length]).flatten(0, 1).float(), labels.flatten())
        rebuilt_BMP = self.patch_head(gather_rows(found[:, length + 1 :], hidden_BM))
        return text + patch_loss(rebuilt_BMP, gather_rows(normalised(patches_BNP), hidden_BM))


def _image_of(patches_BNP: Tensor, patch: int) -> Tensor:
    """Patches back to an image (B, C, S, S)."""
    rows, count, _ = patches_BNP.shape
    side = round(count**0.5)
    cut = patches_BNP.reshape(rows, side, side, patch, patch, 3).permute(0, 5, 1, 3, 2, 4)
    return cut.reshape(rows, 3, side * patch, side * patch)


def their_step(name: str, options: argparse.Namespace, device: torch.device, *, fixed: bool) -> Candidate:
    torch.manual_seed(0)
    config = settings_of(options, *ALONE)
    learning = TheirLearning(config, fixed=fixed).to(device).train()
    if options.compile:
        learning.compile(dynamic=False)
    optimizer = torch.optim.AdamW(learning.parameters(), lr=1e-4, fused=True)
    batch = made_batch(config, options.rows)
    masks = torch.Generator().manual_seed(0)
    patches = (config.data.image_size // config.model.patch) ** 2

    def step() -> None:
        (plan,) = draw_plan(config.objective, batch.real_BL, patches=patches, generator=masks).modes
        assert plan.hidden_RL is not None and plan.hidden_RM is not None
        order = plan.rows_R.argsort()  # the plan's rows are in random order
        hidden = plan.hidden_RL[order].to(device), plan.hidden_RM[order].to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = learning(batch.to(device), *hidden)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(learning.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return Candidate(name=name, step=step, flops_per_row=0.0)


def _interleaved(candidates: list[Candidate], *, rounds: int, steps: int, device: torch.device) -> dict[str, float]:
    """Median seconds a step; the candidates take turns, so that what else the machine does hits all alike."""
    for candidate in candidates:
        candidate.step()
        candidate.step()
    seconds: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    for _ in range(rounds):
        for candidate in candidates:
            _settle(device)
            start = time.perf_counter()
            for _ in range(steps):
                candidate.step()
            _settle(device)
            seconds[candidate.name].append((time.perf_counter() - start) / steps)
    return {name: statistics.median(times) for name, times in seconds.items()}


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _memory_alone(name: str, options: argparse.Namespace) -> int:
    """Peak bytes of a process that takes one step and nothing else."""
    words = [f"--{each}={getattr(options, each)}" for each in ("size", "rows", "threads")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.bench_step", *words, "--only", name],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split()[-1])


def _figures(
    candidates: list[Candidate], seconds: dict[str, float], memory: dict[str, int], rows: int, device: torch.device
) -> dict[str, float]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    peak = peak_flops(name, "bf16") if name else None
    figures: dict[str, float] = {}
    for candidate in candidates:
        speed = rows / seconds[candidate.name]
        figures[f"samples_per_second.{candidate.name}"] = speed
        figures[f"peak_memory_mb.{candidate.name}"] = memory[candidate.name] / 1e6
        if candidate.flops_per_row:
            figures[f"model_tflops.{candidate.name}"] = speed * candidate.flops_per_row / 1e12
            if peak:
                figures[f"model_flop_utilisation.{candidate.name}"] = speed * candidate.flops_per_row / peak
    figures["ratio_equal_objectives"] = seconds["hf_fixed"] / seconds["ours"]
    figures["ratio_to_hf_as_is"] = seconds["hf_as_is"] / seconds["ours"]
    figures["ratio_all_modes"] = seconds["hf_fixed"] / seconds["ours_all_modes"]
    figures["ratio_peak_memory"] = memory["ours"] / memory["hf_fixed"]
    return figures


def _show(
    candidates: list[Candidate], figures: dict[str, float], options: argparse.Namespace, device: torch.device
) -> None:
    table = Table(title=f"{options.size}, {options.rows} rows, {device.type}", title_justify="left")
    for heading in ("step", "samples/s", "model TFLOP/s", "peak memory (MB)"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for candidate in candidates:
        name = candidate.name
        tflops = figures.get(f"model_tflops.{name}")
        table.add_row(
            name,
            f"{figures[f'samples_per_second.{name}']:.2f}",
            "" if tflops is None else f"{tflops:.3f}",
            f"{figures[f'peak_memory_mb.{name}']:.0f}",
        )
    console = Console(highlight=False)
    console.print(table)
    for name, value in figures.items():
        if name.startswith(("ratio", "model_flop")):
            console.print(f"{name}: {value:.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1, help="a round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
