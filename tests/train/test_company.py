"""Processes that work together tell once what goes wrong, and where. Forked, as that is quick."""

import multiprocessing
import os
import platform
import signal
import socket
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection

import pytest
from torch import nn

from train.distributed import Company, Place, joined
from train.errors import Diverged, RequestError
from train.parallel import spread

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

Deed = Callable[[Company], object]


def outcomes(deed: Deed, ranks: Sequence[int] = (0, 1)) -> list[str]:
    """What each of two processes ends with, or those of them that come."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    found = []
    for rank in ranks:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=act, args=(deed, Place(rank=rank, world=2, local=rank), port, theirs))
        process.start()
        theirs.close()
        found.append((process, ours))
    ends = []
    for process, ours in found:
        try:
            ends.append(ours.recv())
        except EOFError:
            ends.append("died")
        process.join()
    return ends


def act(deed: Deed, place: Place, port: int, end: Connection) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(place.rank), "WORLD_SIZE": str(place.world)}
    try:
        with joined(place) as company:
            end.send(f"{deed(company)}")
    except Exception as error:
        end.send(f"{type(error).__name__}: {error}")
    except SystemExit as left:
        end.send(f"left with {left.code}")
    os._exit(0)  # pytest is none of a child's business


def test_each_gets_its_own_and_all_get_what_the_first_made() -> None:
    assert outcomes(lambda company: company.each(lambda: company.place.rank)) == ["0", "1"]
    assert outcomes(lambda company: company.from_first(lambda: company.place.rank)) == ["0", "0"]


@pytest.mark.parametrize("ranks", [(0,), (0, 1)])
def test_what_fails_in_the_first_is_told_by_it_alone(ranks: tuple[int, ...]) -> None:
    def fail(company: Company) -> int:
        if company.place.rank in ranks:
            raise RequestError("No folder.")
        return 0

    assert outcomes(lambda company: company.each(lambda: fail(company))) == ["RequestError: No folder.", "left with 2"]
    assert outcomes(lambda company: company.from_first(lambda: fail(company)))[0] == "RequestError: No folder."


def test_what_fails_in_another_is_told_with_its_place() -> None:
    def fail(company: Company) -> None:
        if company.place.rank == 1:
            raise RequestError("No folder.")

    told = f"RequestError: Process 1 on {platform.node()}: No folder."
    assert outcomes(lambda company: company.each(lambda: fail(company))) == [told, "left with 2"]


def test_what_fails_in_another_that_nobody_waits_for_is_told_by_it() -> None:
    def fail(company: Company) -> str:
        if company.place.rank == 1:
            raise ValueError("strange")
        return "went on"

    assert outcomes(fail) == ["went on", f"TrainError: Process 1 on {platform.node()}: ValueError: strange"]


def test_a_process_that_nobody_joins_leaves_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.distributed.GATHERING", timedelta(seconds=0.5))
    told = outcomes(lambda company: company.any(False), ranks=[1])[0]
    assert told.startswith("ProcessLost: Not all of the 2 processes met within 0.5 s, so process 1 leaves: see whether")


def test_copies_are_spread_without_a_word_of_torch() -> None:
    def spread_one(company: Company) -> str:
        warnings.simplefilter("error")
        learning = nn.Linear(2, 2)
        spread(learning, learning, company.place, parallel="ddp", bf16=False)  # type: ignore[arg-type]
        return "spread"

    assert outcomes(spread_one) == ["spread", "spread"]


def test_what_all_judge_alike_is_told_by_the_first() -> None:
    def fail(_company: Company) -> None:
        raise Diverged("No number.")

    assert outcomes(fail) == ["Diverged: No number.", "left with 2"]


def test_a_process_that_is_killed_ends_the_others_with_a_sentence() -> None:
    def die(company: Company) -> bool:
        if company.place.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return company.any(False)

    told, dead = outcomes(die)
    assert told.startswith("ProcessLost: Another of the 2 processes has ended or no longer answers, so process 0")
    assert dead == "died"
