"""Speed, and the share of the machine's arithmetic that the model used."""

import time

import pytest
import torch

from train.pace import Machine, Pace


def test_speed_and_arithmetic_are_those_of_the_steps_that_were_done() -> None:
    pace = Pace(Machine(device=torch.device("cpu"), rows_per_step=8, flops_per_step=3e9, peak_flops=5e12))
    for _ in range(4):
        with pace.waiting():
            pass
        pace.step()
    figures = pace.figures()
    seconds = 4 * 8 / figures["samples_per_second"]
    assert figures["model_tflops"] == pytest.approx(4 * 3e-3 / seconds)
    assert figures["model_flop_utilisation"] == pytest.approx(figures["model_tflops"] / 5)
    assert 0 < figures["data_wait_share"] < 1
    assert figures["peak_memory_gb"] > 0


def test_a_pause_does_not_count() -> None:
    pace = Pace(Machine(device=torch.device("cpu"), rows_per_step=8, flops_per_step=3e9, peak_flops=None))
    pace.step()
    with pace.paused():
        began = time.perf_counter()
        while time.perf_counter() < began + 0.05:
            pass
    assert 8 / pace.figures()["samples_per_second"] < 0.05


def test_of_an_unknown_machine_no_share_is_claimed() -> None:
    pace = Pace(Machine(device=torch.device("cpu"), rows_per_step=8, flops_per_step=3e9, peak_flops=None))
    assert "model_flop_utilisation" not in pace.figures()
