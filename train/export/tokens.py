"""The tokenizer as transformers and `tokenizers` read it: tokenizer.json and tokenizer_config.json."""

import json
from pathlib import Path

import tokenizers
from tokenizers.processors import TemplateProcessing

from train.data.tokenizer import Tokenizer


def write_tokenizer(folder: Path, tokenizer: Tokenizer, *, length: int) -> None:
    """A copy that puts [CLS] first by itself, adds nothing else, and cuts at `length` pieces.

    Where a text holds the mask's own name it is the mask, as is the custom there; in training it was mere letters.
    """
    pieces = tokenizers.Tokenizer.from_str(tokenizer.pieces.to_str())
    names = {
        f"{role}_token": pieces.id_to_token(number)
        for role, number in zip(("pad", "unk", "cls", "mask"), tokenizer.special, strict=True)
    }
    cls = names["cls_token"]
    pieces.post_processor = TemplateProcessing(
        single=f"{cls} $A", pair=f"{cls} $A $B", special_tokens=[(cls, tokenizer.cls)]
    )
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": length,
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "right",
        "truncation_side": "right",
        **names,
    }
    (folder / "tokenizer.json").write_text(pieces.to_str(pretty=True), encoding="utf-8")
    write_json(folder / "tokenizer_config.json", settings)


def write_json(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
