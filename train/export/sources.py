"""The source files that an exported folder brings along, so that it needs nothing of this package.

    train/export/hub/*.py + every file of ours that they import, and so on -> one flat folder

An import `from train.models.heads import X` becomes `from .heads import X`. Nothing else is changed, but for the
settings: what transformers reads from config.json stands in for the settings that a run is made with.
"""

import ast
import re
from pathlib import Path

import train

ROOT = Path(train.__file__).parents[1]
FACES = ("configuration", "image_processing", "modeling", "processing")
HEADER = "# Part of harvest-train. Copyright (c) 2026 the harvest-train authors. SPDX-License-Identifier: MIT\n\n"

STAND_INS = {
    "from train.models.config import ModelConfig": (
        "from train.export.hub.configuration_harvest_vilt import HarvestViltConfig as ModelConfig"
    )
}


def carried_sources() -> dict[str, str]:
    """File name to text."""
    wanted = [f"train.export.hub.{face}_harvest_vilt" for face in FACES]
    found: dict[str, str] = {}
    while wanted:
        module = wanted.pop()
        name = f"{module.rpartition('.')[2]}.py"
        if name in found:
            continue
        text = _source(module)
        found[name] = HEADER + _relative(text)
        wanted += _ours(text)
    return dict(sorted(found.items()))


def _source(module: str) -> str:
    text = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    for line, stand_in in STAND_INS.items():
        text = text.replace(f"{line}\n", f"{stand_in}\n")
    return text


def _ours(text: str) -> list[str]:
    """The modules of ours that a source imports."""
    froms = [node.module or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    modules = [module for module in froms if module.partition(".")[0] in ("configs", "shards", "train")]
    assert all(module.startswith("train.") for module in modules), f"{modules} would drag half the package along"
    return modules


def _relative(text: str) -> str:
    return re.sub(r"^from train\.(?:\w+\.)*(\w+) import ", r"from .\1 import ", text, flags=re.MULTILINE)
