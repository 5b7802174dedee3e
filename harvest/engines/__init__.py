"""What runs stages over videos."""

from harvest.engines.base import Engine, Outcome, Task
from harvest.engines.local import EngineConfig, LocalEngine

__all__ = ["Engine", "EngineConfig", "LocalEngine", "Outcome", "Task"]
