"""What "auto" stands for on this machine: where Whisper computes, and in which numbers.

The numbers shape the words, so a record's fingerprint holds them; whether a processor or a GPU adds them does not.
"""

import functools
from typing import NamedTuple

from harvest.asr.base import TranscribeConfig


class Arithmetic(NamedTuple):
    """Settled: no "auto" is left."""

    device: str
    compute_type: str


@functools.cache  # asked for every video
def settle(config: TranscribeConfig) -> Arithmetic:
    """The device and the numbers that `config` leads to. Only for "auto" is a GPU looked for."""
    device: str = config.device
    compute_type: str = config.compute_type
    if device == "auto":
        device = "cuda" if _has_gpu(config.engine) else "cpu"
    if compute_type == "auto":
        on_cpu = "int8" if config.engine == "faster-whisper" else "float32"
        compute_type = "float16" if device == "cuda" else on_cpu
    return Arithmetic(device, compute_type)


def _has_gpu(engine: str) -> bool:
    """Whether the engine's own library sees one. Where that is missing, loading the engine says so."""
    try:
        if engine == "openai":
            import torch

            return torch.cuda.is_available()
        import ctranslate2

        return bool(ctranslate2.get_cuda_device_count())
    except ImportError:
        return False
