"""openai-whisper: the original, in torch, on the same weights and the same windows as faster-whisper.

It uses the package's decoder and its word alignment, but not its `transcribe`, which hears the end of most windows
twice. As with faster-whisper nothing is sampled: what it writes hangs on the audio alone.
"""

import contextlib
import io
import pickle
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from harvest.asr.arithmetic import Arithmetic, settle
from harvest.asr.base import Audio, TranscribeConfig
from harvest.asr.ct2_weights import read_checkpoint
from harvest.asr.listener import Heard, HeardWord, Listened
from harvest.asr.models import Weights, load_failed
from harvest.asr.windows import Window
from harvest.errors import RequestError


class OpenAIWhisper:
    """A Listener; loads its model when made, and sets how many threads torch uses in this process."""

    name: ClassVar[str] = "openai"

    def __init__(self, config: TranscribeConfig, weights: Weights) -> None:
        self._whisper, torch = _import()
        torch.set_num_threads(config.threads)
        arithmetic = settle(config)
        _refuse_impossible(arithmetic, weights, torch)
        self._model = _load(weights, arithmetic.device, self._whisper)
        self._options = {
            "beam_size": config.beam_size if config.beam_size > 1 else None,
            "without_timestamps": True,  # the alignment gives better ones
            "fp16": arithmetic.compute_type == "float16",
        }
        self.languages = frozenset(self._whisper.tokenizer.LANGUAGES if self._model.is_multilingual else {"en"})

    def listen(self, audio: Audio, windows: Sequence[Window], language: str) -> Listened:
        heard: list[Heard] = []
        probability = -1.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on fallbacks that cost time, not words
            for window in windows:
                mel, frames = self._spectrogram(audio, window)
                if not language:  # detected once: a film does not change its language every half minute
                    _, (probabilities,) = self._whisper.detect_language(self._model, mel[None])
                    language, probability = max(probabilities.items(), key=lambda known: known[1])
                decoded = self._whisper.decode(self._model, mel, language=language, **self._options)
                words = self._align(decoded, mel, frames, window)
                heard.append(
                    Heard(
                        window=window,
                        words=words,
                        avg_logprob=decoded.avg_logprob,
                        no_speech_prob=decoded.no_speech_prob,
                        compression_ratio=decoded.compression_ratio,
                    )
                )
        return Listened(language, float(probability), heard)

    def _spectrogram(self, audio: Audio, window: Window) -> tuple[Any, int]:
        """The window padded to 30 seconds, and how many of its frames are not padding."""
        sound = self._whisper.audio
        samples = sound.pad_or_trim(audio.samples[window.first : window.end])
        mel = sound.log_mel_spectrogram(samples, self._model.dims.n_mels, device=self._model.device)
        if self._options["fp16"]:
            mel = mel.half()
        return mel, (window.end - window.first) // sound.HOP_LENGTH

    def _align(self, decoded: Any, mel: Any, frames: int, window: Window) -> tuple[HeardWord, ...]:
        """When each of the decoded words is said."""
        segment = {"seek": 0, "start": 0.0, "end": window.end_s - window.start_s, "tokens": decoded.tokens, "words": []}
        self._whisper.timing.add_word_timestamps(
            segments=[segment],
            model=self._model,
            tokenizer=self._whisper.tokenizer.get_tokenizer(
                self._model.is_multilingual, num_languages=self._model.num_languages, language=decoded.language
            ),
            mel=mel,
            num_frames=frames,
            last_speech_timestamp=0.0,
        )
        return tuple(
            HeardWord(word["word"], window.start_s + word["start"], window.start_s + word["end"], word["probability"])
            for word in segment["words"]
        )


def _import() -> tuple[Any, Any]:
    try:
        import torch
        import whisper
    except ImportError:
        raise RequestError(
            "The engine openai-whisper is not installed, so speech cannot become words by it: "
            "pip install 'harvest-train[openai-whisper]', or take the engine faster-whisper."
        ) from None
    return whisper, torch


def _refuse_impossible(arithmetic: Arithmetic, weights: Weights, torch: Any) -> None:
    if arithmetic.device == "cuda" and not torch.cuda.is_available():
        raise load_failed(weights, "there is no GPU that torch can use")
    if arithmetic == Arithmetic("cpu", "float16"):
        raise load_failed(weights, "float16 needs a GPU, on a CPU openai-whisper computes in float32 only")


def _load(weights: Weights, device: str, whisper: Any) -> Any:
    try:
        if weights.path is None:
            with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
                return whisper.load_model(weights.name, device=device)
        if weights.path.is_dir():
            return _from_ctranslate2(weights.path, whisper).to(device)
        return _from_file(weights.path, whisper).to(device)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise load_failed(weights, error) from None


def _from_ctranslate2(folder: Path, whisper: Any) -> Any:
    import torch

    checkpoint = read_checkpoint(folder)
    state = {name: torch.from_numpy(array.astype("float32")) for name, array in checkpoint.state.items()}
    model = _build(checkpoint.dims, state, whisper)
    _align_by(checkpoint.alignment_heads, model)
    return model


def _from_file(file: Path, whisper: Any) -> Any:
    """An openai-whisper checkpoint. Its name says which attention heads follow the words: tiny.en.pt."""
    import torch

    checkpoint = torch.load(file, map_location="cpu", weights_only=True)  # never runs what a pickle asks for
    model = _build(checkpoint["dims"], checkpoint["model_state_dict"], whisper)
    if file.stem in whisper._ALIGNMENT_HEADS:
        model.set_alignment_heads(whisper._ALIGNMENT_HEADS[file.stem])
    return model


def _build(dims: dict[str, int], state: dict[str, Any], whisper: Any) -> Any:
    model = whisper.model.Whisper(whisper.ModelDimensions(**dims))
    model.load_state_dict(state)
    return model.eval()


def _align_by(heads: Iterable[tuple[int, int]], model: Any) -> None:
    import torch

    chosen = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
    for layer, head in heads:
        chosen[layer, head] = True
    # As set_alignment_heads does, which takes them packed only.
    model.register_buffer("alignment_heads", chosen.to_sparse(), persistent=False)
