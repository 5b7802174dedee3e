"""Where numbers and pictures go."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from train.errors import RequestError
from train.metrics import (
    JsonLines,
    Pictures,
    Silent,
    Sink,
    Tee,
    TensorBoard,
    last_line_with,
    last_picture,
    read_metrics,
)
from train.progress import progress_sink
from train.weights_and_biases import WeightsAndBiases


def _png(colour: str) -> bytes:
    stored = io.BytesIO()
    Image.new("RGB", (4, 2), colour).save(stored, "PNG")
    return stored.getvalue()


def _progress(_folder: Path, *, terminal: bool) -> Sink:
    return progress_sink(Console(file=io.StringIO(), force_terminal=terminal), done=0, steps=10)


SINKS: dict[str, Callable[[Path], Sink]] = {
    "silent": lambda _folder: Silent(),
    "json lines": lambda folder: JsonLines(folder, after_step=0),
    "pictures": lambda folder: Pictures(folder, after_step=0),
    "tensorboard": lambda folder: TensorBoard(folder, after_step=0),
    "bar": lambda folder: _progress(folder, terminal=True),
    "lines": lambda folder: _progress(folder, terminal=False),
    "tee": lambda folder: Tee([JsonLines(folder, after_step=0), Silent()]),
}


@pytest.mark.parametrize("name", SINKS)
def test_every_sink_takes_numbers_and_pictures_and_can_be_closed(name: str, tmp_path: Path) -> None:
    sink = SINKS[name](tmp_path)
    sink.log(1, {"loss/total": 2.0, "samples_per_second": 3.0})
    sink.log(2, {"val/recall": 0.5})
    sink.picture(2, "sheet", _png("red"))
    sink.close()


def test_the_silent_sink_leaves_nothing_behind(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    test_every_sink_takes_numbers_and_pictures_and_can_be_closed("silent", tmp_path)
    assert not [*tmp_path.iterdir()]
    assert capfd.readouterr() == ("", "")


def test_pictures_are_files_named_by_step(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path, after_step=0)
    pictures.picture(500, "sheet", _png("red"))
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["sheet-00000500.png"]
    assert (tmp_path / "pictures" / "sheet-00000500.png").read_bytes() == _png("red")


def test_what_a_killed_run_told_after_its_checkpoint_is_dropped(tmp_path: Path) -> None:
    for sink in (JsonLines(tmp_path, after_step=0), Pictures(tmp_path, after_step=0)):
        for step in (10, 20, 30):
            sink.log(step, {"loss/total": 1.0})
            sink.picture(step, "sheet", _png("red"))
        sink.close()
    JsonLines(tmp_path, after_step=20).close()
    Pictures(tmp_path, after_step=20).close()
    assert [line["step"] for line in read_metrics(tmp_path)] == [10, 20]
    assert sorted(path.stem for path in (tmp_path / "pictures").iterdir()) == ["sheet-00000010", "sheet-00000020"]


def test_what_was_shown_last_by_a_step_is_found_again(tmp_path: Path) -> None:
    lines, pictures = JsonLines(tmp_path, after_step=0), Pictures(tmp_path, after_step=0)
    for step in (10, 20, 30):
        lines.log(step, {"loss/total": 1.0})
        lines.log(step, {"val/recall": 0.5})
        pictures.picture(step, "sheet", _png("red"))
    lines.log(40, {"loss/total": 1.0})
    lines.close()
    for until, found in ((45, 30), (25, 20), (5, 0)):
        assert last_line_with(tmp_path, "val/", until=until) == last_picture(tmp_path, until=until) == found


def test_lines_that_are_of_no_step_are_left_out(tmp_path: Path) -> None:
    lines = ('{"step": 1, "loss": 2.0}', '{"step": "2"}', '{"step": null}', '{"loss": 1.0}', "[3]", '{"step": 4', "5")
    (tmp_path / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines))
    JsonLines(tmp_path, after_step=9).close()
    assert read_metrics(tmp_path) == [{"step": 1, "loss": 2.0}]


def test_tensorboard_shows_numbers_and_pictures(tmp_path: Path) -> None:
    sink = TensorBoard(tmp_path, after_step=0)
    sink.log(7, {"loss/total": 2.5})
    sink.picture(7, "sheet", _png("red"))
    sink.close()
    shown = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (number,), (picture,) = shown.Scalars("loss/total"), shown.Images("sheet")
    assert (number.step, number.value, picture.step) == (7, 2.5, 7)
    image = Image.open(io.BytesIO(picture.encoded_image_string))
    assert (image.size, image.convert("RGB").getpixel((0, 0))) == ((4, 2), (255, 0, 0))


TWO_RUNS = """
import io, sys
from pathlib import Path
from PIL import Image
from train.weights_and_biases import WeightsAndBiases
stored = io.BytesIO()
Image.new("RGB", (4, 2), "red").save(stored, "PNG")
for step in (1, 2):  # a run, and its resumption
    sink = WeightsAndBiases(Path(sys.argv[1]), project="drawn", settings={"optim": {"lr": 0.125}})
    sink.log(step, {"loss/drawn": 2.0})
    sink.picture(step, "sheet", stored.getvalue())
    sink.close()
"""


def test_weights_and_biases_offline_goes_on_in_the_same_run(tmp_path: Path) -> None:
    environment = os.environ | {"WANDB_MODE": "offline", "HOME": str(tmp_path), "WANDB_SILENT": "true"}
    command = [sys.executable, "-W", "error", "-c", TWO_RUNS, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    records = sorted(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    assert len({path.name for path in records}) == 1  # named by the run's id
    assert {path.name for path in records} == {f"run-{(tmp_path / 'wandb-run-id.txt').read_text().strip()}.wandb"}
    for path in records:
        assert b"loss/drawn" in path.read_bytes()
        assert [*path.parent.glob("files/media/images/sheet_*.png")]


def test_without_the_package_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(RequestError, match=r"harvest-train\[wandb\]"):
        WeightsAndBiases(tmp_path, project="drawn", settings={})


def test_without_a_login_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    command = [sys.executable, "-c", TWO_RUNS, str(tmp_path)]
    done = subprocess.run(
        command,
        env=environment | {"HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "RequestError: Weights & Biases refuses the project 'drawn'" in done.stderr
    assert "WANDB_MODE=offline" in done.stderr
