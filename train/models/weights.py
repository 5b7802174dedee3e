"""Files of weights that others trained: on this machine, or in a repository of the Hugging Face hub.

Only safetensors are read, so nothing is unpickled.
"""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from train.errors import InitialisationError

HUB_FILE = "model.safetensors"


def read_weights(path: Path) -> dict[str, Tensor]:
    """Raises InitialisationError for a file that is missing, torn or of another format."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InitialisationError(f"{path} cannot be read as safetensors weights: {error}.") from None


def fetched(repository: str, name: str) -> Path | None:
    """The file `name` of a repository, from the hub or its cache; None if the repository has no such file.

    Raises InitialisationError if it cannot be fetched.
    """
    from huggingface_hub import hf_hub_download  # only wanted for this choice
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(repository, name))
    except (OSError, ValueError) as error:
        # The cache's own "not found" comes of a missing connection, and says nothing of the repository.
        if isinstance(error, EntryNotFoundError) and not isinstance(error, FileNotFoundError):
            return None
        reason = str(error).strip().split("\n")[0]
        raise InitialisationError(
            f"{name} cannot be fetched from {repository} on the Hugging Face hub: {reason}"
        ) from None


def shape_of(weight: Tensor) -> str:
    """As a sentence shows it: 768x3x16x16."""
    return "x".join(map(str, weight.shape)) or "a number"
