"""openai-whisper's own command: python -m benchmarks.truth.whisper_command FILE... --model base.pt [OPTIONS]

A model that is loaded by its path does not know which of its attention heads follow the words in time; by name it does.
"""

import functools
from typing import Any

import whisper
from whisper.transcribe import cli

NAMED = whisper.load_model


@functools.wraps(NAMED)
def _load(name: str, *arguments: Any, **options: Any) -> Any:
    model = NAMED(name, *arguments, **options)
    model.set_alignment_heads(whisper._ALIGNMENT_HEADS["base"])
    return model


if __name__ == "__main__":
    whisper.load_model = _load
    cli()
