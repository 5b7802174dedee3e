"""What an exported folder brings along for transformers: each file is copied into it, its imports made relative.

They stand on the model's own files, which are copied beside them, so that there is no second model to keep in step.
"""

# Before anything of transformers: it makes torchvision importable beside a torch for which it was not built.
import train.models.layers  # noqa: F401
