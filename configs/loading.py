"""Defaults <- YAML file <- ``--set a.b=c``: merged as plain data, then validated once by the schema.

A name such as ``tiny`` stands for the file ``configs/<group>/tiny.yaml`` of the installed package; anything
with a separator or a YAML ending is a path. Mistakes raise ConfigError with one sentence.
"""

import difflib
import hashlib
import json
import reprlib
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

PACKAGE_FOLDER = Path(__file__).parent
MAX_YAML_BYTES = 1 << 20  # a settings file is a page; anything near this is not one


class ConfigError(Exception):
    """A setting or a settings file is wrong. The message is the sentence to show."""


class Config(BaseModel):
    """Base of all settings. ``group`` names the folder of configs/ in which named YAML files are looked up."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    group: ClassVar[str] = ""


ConfigType = TypeVar("ConfigType", bound=Config)


def load(schema: type[ConfigType], source: str | Path | None, overrides: Sequence[str] = ()) -> ConfigType:
    """Resolve the settings of `schema`: its defaults, then the YAML `source` (name or path), then `overrides`.

    Raises ConfigError for an unknown name or key, a value of the wrong kind, or YAML that cannot be read.
    """
    values = _read_yaml(_locate(schema, source)) if source is not None else {}
    for override in overrides:
        _apply_override(values, override, schema)
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_describe(schema, error)) from None


def dump(config: Config) -> str:
    """The resolved settings as YAML that `load` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def config_digest(config: Config) -> str:
    """16 hex digits that change with any value of `config` and with nothing else."""
    canonical = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _locate(schema: type[Config], source: str | Path) -> Path:
    text = str(source)
    if "/" in text or "\\" in text or text.endswith((".yaml", ".yml")):
        path = Path(text)
        if not path.is_file():
            raise ConfigError(f"There is no settings file {text!r}: give an existing YAML file or a name.")
        return path
    folder = PACKAGE_FOLDER / schema.group
    path = folder / f"{text}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        choice = f"choose one of {names}, or give" if names else "give"
        raise ConfigError(f"There are no settings named {text!r}: {choice} a YAML file.")
    return path


def _read_yaml(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_YAML_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_YAML_BYTES} bytes, so it cannot be a settings file.")
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  it is a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or a 13th month
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold settings as 'name: value' lines, not a {type(values).__name__}.")
    return values


class _Loader(yaml.SafeLoader):
    """SafeLoader, but of two settings of one name it does not quietly keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} stands there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _apply_override(values: dict[str, Any], override: str, schema: type[Config]) -> None:
    dotted, separator, text = override.partition("=")
    names = dotted.strip().split(".")
    if not separator or not all(names):
        raise ConfigError(f"--set {override!r} is not of the form a.b=value.")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        value = text
    if value is not None and not isinstance(value, str | list | dict) and _is_text(schema, names):
        value = text.strip()  # YAML takes 2024 for a number, and for a truth value the language "no"
    for name in names[:-1]:
        inner = values.get(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override!r}: {name!r} is a single value, it has no parts to set.")
        values[name] = dict(inner)  # a copy: YAML's aliases make one mapping of several settings
        values = values[name]
    values[names[-1]] = value


def _is_text(schema: type[BaseModel], names: Sequence[str]) -> bool:
    """Whether the setting of that name is a text, or one of several words."""
    field = schema.model_fields.get(names[0])
    kinds = (field.annotation, *get_args(field.annotation)) if field is not None else ()
    if len(names) == 1:
        return any(kind is str or isinstance(kind, str) for kind in kinds)
    return any(_is_text(kind, names[1:]) for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))


def _describe(schema: type[Config], error: ValidationError) -> str:
    """The first thing that is wrong, in one sentence."""
    first = error.errors(include_url=False)[0]
    dotted = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _dotted_names(schema)
        last = f".{dotted}".rpartition(".")[2]
        close = [name for name in known if name.endswith(f".{last}")] or difflib.get_close_matches(dotted, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "--show-config lists the settings there are."
        return f"There is no setting {dotted!r}: {hint}"
    if not dotted:
        return f"The settings do not fit together: {first['msg'].removeprefix('Value error, ')}."
    problem = first["msg"].removeprefix("Value error, ")
    short = reprlib.Repr()  # bounded, as a page of YAML can stand for gigabytes
    short.maxlevel, short.maxlist, short.maxdict, short.maxstring = 2, 4, 4, 80
    value = short.repr(first["input"])
    return f"The setting {dotted}={value} cannot be used: {problem[0].lower()}{problem[1:]}."


def _dotted_names(schema: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in schema.model_fields.items():
        names.append(prefix + name)
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                names += _dotted_names(part, f"{prefix}{name}.")
    return names
