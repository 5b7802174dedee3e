"""CTranslate2's Whisper weights as openai-whisper's: the same numbers under other names, nothing unpickled.

    folder/model.bin + config.json -> Checkpoint(dims, state, alignment_heads)

model.bin (little endian): u32 version, string specification, u32 revision, u32 count, then `count` times
string name, u8 rank, u32 × rank shape, u8 kind, u32 bytes, data; then aliases. A string is a u16 length, its final
NUL included, and bytes. CTranslate2 stacks attention's query, key and value; openai-whisper's key has no bias.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

KINDS = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
VERSIONS = (5, 6)

_LEAVES = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
_OUTSIDE = {
    "encoder/conv1": "encoder.conv1",
    "encoder/conv2": "encoder.conv2",
    "encoder/layer_norm": "encoder.ln_post",
    "decoder/embeddings": "decoder.token_embedding",
    "decoder/layer_norm": "decoder.ln",
}
_IN_BLOCK = {  # several names: stacked in this order
    "self_attention/layer_norm": ("attn_ln",),
    "self_attention/linear_0": ("attn.query", "attn.key", "attn.value"),
    "self_attention/linear_1": ("attn.out",),
    "attention/layer_norm": ("cross_attn_ln",),
    "attention/linear_0": ("cross_attn.query",),
    "attention/linear_1": ("cross_attn.key", "cross_attn.value"),
    "attention/linear_2": ("cross_attn.out",),
    "ffn/layer_norm": ("mlp_ln",),
    "ffn/linear_0": ("mlp.0",),
    "ffn/linear_1": ("mlp.2",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What openai-whisper's model is made of."""

    dims: dict[str, int]
    state: dict[str, Array]
    alignment_heads: tuple[tuple[int, int], ...]  # (layer, head) that follow the words in time


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a CTranslate2 folder. Raises ValueError if it holds anything but unquantised Whisper weights."""
    try:
        arrays = _read_arrays((folder / "model.bin").read_bytes())
        heads = json.loads((folder / "config.json").read_text(encoding="utf-8"))["alignment_heads"]
        return Checkpoint(
            dims=_dims(arrays),
            state=_state(arrays),
            alignment_heads=tuple((int(layer), int(head)) for layer, head in heads),
        )
    except (struct.error, KeyError, TypeError, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"not Whisper weights in CTranslate2's format ({error})") from None


class _Cursor:
    """Reads one value after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def number(self, kind: str) -> int:
        (value,) = struct.unpack_from("<" + kind, self._data, self._position)
        self._position += struct.calcsize("<" + kind)
        return int(value)

    def text(self) -> str:
        return self.raw(self.number("H"))[:-1].decode()

    def raw(self, length: int) -> bytes:
        taken = self._data[self._position : self._position + length]
        if len(taken) < length:
            raise ValueError("the file ends too early")
        self._position += length
        return taken


def _read_arrays(data: bytes) -> dict[str, Array]:
    cursor = _Cursor(data)
    version, specification, _ = cursor.number("I"), cursor.text(), cursor.number("I")
    if version not in VERSIONS or specification != "WhisperSpec":
        raise ValueError(f"version {version} of {specification!r} is not one we can convert")
    return dict(_read_array(cursor) for _ in range(cursor.number("I")))


def _read_array(cursor: _Cursor) -> tuple[str, Array]:
    name = cursor.text()
    shape = [cursor.number("I") for _ in range(cursor.number("B"))]
    kind = KINDS[cursor.number("B")]
    return name, np.frombuffer(cursor.raw(cursor.number("I")), kind).reshape(shape)


def _dims(arrays: dict[str, Array]) -> dict[str, int]:
    audio_context, audio_state = arrays["encoder/position_encodings/encodings"].shape
    text_context, text_state = arrays["decoder/position_encodings/encodings"].shape
    return {
        "n_mels": arrays["encoder/conv1/weight"].shape[1],
        "n_audio_ctx": audio_context,
        "n_audio_state": audio_state,
        "n_audio_head": int(arrays["encoder/num_heads"]),
        "n_audio_layer": _count_layers("encoder", arrays),
        "n_vocab": arrays["decoder/embeddings/weight"].shape[0],
        "n_text_ctx": text_context,
        "n_text_state": text_state,
        "n_text_head": int(arrays["decoder/num_heads"]),
        "n_text_layer": _count_layers("decoder", arrays),
    }


def _count_layers(side: str, arrays: dict[str, Array]) -> int:
    return len({name.split("/")[1] for name in arrays if name.startswith(f"{side}/layer_") and name.count("/") > 2})


def _state(arrays: dict[str, Array]) -> dict[str, Array]:
    state: dict[str, Array] = {}
    for name, array in arrays.items():
        if array.ndim == 0:
            continue  # a setting of the architecture, not a weight
        if not np.issubdtype(array.dtype, np.floating):
            raise ValueError(f"{name} is quantised to {array.dtype}; openai-whisper needs float weights")
        names = _names(name)
        state.update(zip(names, np.split(array, len(names)), strict=True))
    return {name: array for name, array in state.items() if not name.endswith(".key.bias")}


def _names(name: str) -> list[str]:
    """What openai-whisper calls the array `name`, or the equal parts of it."""
    module, leaf = name.rsplit("/", 1)
    if leaf == "encodings":
        return [f"{name.split('/')[0]}.positional_embedding"]
    if module in _OUTSIDE:
        return [f"{_OUTSIDE[module]}.{_LEAVES[leaf]}"]
    side, layer, part = module.split("/", 2)
    return [f"{side}.blocks.{layer.removeprefix('layer_')}.{target}.{_LEAVES[leaf]}" for target in _IN_BLOCK[part]]
