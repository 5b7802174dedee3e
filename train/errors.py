"""What can go wrong in training and evaluation.

TrainError
├── RequestError            the request cannot be met as it stands: exit code 2
│   ├── RunFolderError      a run's folder is taken, missing, or holds no checkpoint
│   ├── CheckpointError     a folder that is not a whole checkpoint, or does not fit this model
│   ├── LayoutError         files to prepare a set from that are missing or not what their layout says
│   ├── DataError           a shard set that has nothing to learn from, or an image that cannot be decoded
│   ├── TokenizerError      no tokenizer of that name, or one that cannot serve
│   └── InitialisationError weights to start from that are missing or of another shape
├── CannotSave              the disk does not take a checkpoint: exit code 1
├── Diverged                the loss is no longer a number: exit code 1
├── ProcessLost             one of the processes that read or train has died: exit code 1
└── ExportError             an exported model answers otherwise than the trained one: exit code 1
"""


class TrainError(Exception):
    """Base of this package's errors. The message is the sentence to show."""


class RequestError(TrainError):
    """What was asked for cannot be done as it stands."""


class RunFolderError(RequestError):
    """A run's folder is taken, missing, or holds no checkpoint."""


class CheckpointError(RequestError):
    """A folder is not a whole checkpoint, or does not fit this model."""


class LayoutError(RequestError):
    """Files to prepare a set from are missing, or not what their layout says."""


class DataError(RequestError):
    """A shard set cannot be learnt from."""


class TokenizerError(RequestError):
    """A tokenizer is missing or cannot serve."""


class InitialisationError(RequestError):
    """The weights to start from are missing or of another shape."""


class CannotSave(TrainError):
    """A checkpoint cannot be written: exit code 1, the ones before it are kept."""


class Diverged(TrainError):
    """The loss is no longer a number."""


class ProcessLost(TrainError):
    """One of the processes that read data or train together has died."""


class ExportError(TrainError):
    """An exported model answers otherwise than the trained one."""
