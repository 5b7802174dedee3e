"""The processes that read data, and what is said when one of them dies."""

import multiprocessing
import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from train.config import TrainConfig
from train.data.collate import Collate
from train.data.loader import load
from train.data.order import BEGINNING
from train.data.sets import training
from train.data.source import open_source
from train.data.tokenizer import Tokenizer
from train.errors import ProcessLost


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
