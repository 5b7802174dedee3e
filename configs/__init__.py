"""Settings: frozen models that refuse unknown keys, read from YAML and ``--set a.b=c``, validated once.

What a setting means stands beside the code it sets; this package only knows how to load any of them.
"""

from configs.loading import Config, ConfigError, config_digest, dump, load

__all__ = ["Config", "ConfigError", "config_digest", "dump", "load"]
