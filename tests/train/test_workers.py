"""The processes that read data, and what is said when one of them dies."""

import multiprocessing
import os
import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from train.config import TrainConfig
from train.data.collate import Collate
from train.data.loader import load
from train.data.order import BEGINNING
from train.data.sets import training
from train.data.source import open_source
from train.data.tokenizer import Tokenizer
from train.errors import ProcessLost
from train.interruption import WaitBroken, interrupts_wait


def test_a_reading_process_that_is_killed_ends_the_reading_with_a_sentence(
    shards: Path, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    before, heeded = {*multiprocessing.active_children()}, signal.getsignal(signal.SIGCHLD)
    reading = training([open_source(str(shards))], config.data, seed=0, positions=[BEGINNING])
    collate = Collate(config=config.data, tokenizer=tokenizer, seed=0, training=True)
    with closing(load(reading, collate, workers=1)) as batches:
        assert len(next(batches).keys) == config.data.batch_size
        (worker,) = {*multiprocessing.active_children()} - before
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()  # torch would raise here, wherever the training stands
        with pytest.raises(ProcessLost, match=r"data\.workers=1 .* \(killed by signal 9\), so no more batches come"):
            next(batches)
    assert signal.getsignal(signal.SIGCHLD) is heeded


class Stalled:
    """Stands for a store that does not answer: interrupts the trainer, and waits for ever."""

    def __init__(self, cleared: Path) -> None:
        self._cleared = cleared

    def __call__(self, *_: object) -> NoReturn:
        os.kill(os.getpid(), signal.SIGTERM)  # torchrun sends it to all; it is for the trainer
        try:
            os.kill(os.getppid(), signal.SIGTERM)
            threading.Event().wait()
        finally:
            self._cleared.touch()
        raise AssertionError


@pytest.mark.parametrize("deaf", [False, True])
def test_a_reading_process_that_hangs_is_not_waited_for(
    shards: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: bool
) -> None:
    """It clears up what it has begun, unless it does not even hear that it is to leave."""
    if deaf:
        monkeypatch.setattr("train.data.workers._leave", signal.SIG_IGN)
    before, cleared = {*multiprocessing.active_children()}, tmp_path / "cleared"
    reading = training([open_source(str(shards))], config.data, seed=0, positions=[BEGINNING])
    with interrupts_wait() as met, closing(load(reading, Stalled(cleared), workers=1)) as batches:  # type: ignore[arg-type]
        with pytest.raises(WaitBroken), met.waiting():
            next(batches)
        for worker in {*multiprocessing.active_children()} - before:
            worker.join(10)
            assert not worker.is_alive()
    assert cleared.exists() is not deaf
