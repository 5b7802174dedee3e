"""Settings: defaults <- YAML <- --set, validated once, and every mistake one sentence."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from configs import Config, ConfigError, config_digest, dump, load
from configs.loading import MAX_YAML_BYTES, PACKAGE_FOLDER
from harvest.config import HarvestConfig
from tests.configs.small import Job, Model, Optim
from train.config import TrainConfig


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    return tmp_path / "job.yaml"


def refusal(source: str | Path | None, *overrides: str) -> str:
    """The message, which must be one line that can be shown, and short."""
    with pytest.raises(ConfigError) as refused:
        load(Job, source, overrides)
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) < 700
    return message


def refused_yaml(path: Path, text: str | bytes, *overrides: str) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return refusal(path, *overrides)


def test_defaults_then_yaml_then_overrides(yaml_file: Path) -> None:
    yaml_file.write_text("title: from yaml\nmodel: {name: wide, optim: {lr: 0.2}}\n")
    job = load(Job, yaml_file, ["model.optim.lr=0.3", "model.optim.lr=0.4", "verbose=true"])
    assert job == Job(
        title="from yaml", verbose=True, model=Model(name="wide", widths=(1, 2), optim=Optim(lr=0.4, steps=100))
    )
    assert load(Job, None) == Job()


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("title=a=b", {"title": "a=b"}),
        ("title=", {}),
        ("title='1984'", {"title": "1984"}),
        ("title=x: [", {"title": "x: ["}),
        ("title=2024-13-45", {"title": "2024-13-45"}),
        ("title=0x_", {"title": "0x_"}),
        (" title =b", {"title": "b"}),
        ("title=no", {"title": "no"}),
        ("title=2024", {"title": "2024"}),
        ("title= 1.50 ", {"title": "1.50"}),
        ("title=2024-12-01", {"title": "2024-12-01"}),
        ("model.name=1_000", {"model": {"name": "1_000"}}),
        ("limit=null", {"limit": None}),
        ("limit=1e-3", {"limit": 0.001}),
        ("verbose=no", {"verbose": False}),
        ("model.widths=[3, 4]", {"model": {"widths": (3, 4)}}),
        ("model={name: x}", {"model": {"name": "x"}}),
    ],
)
def test_the_value_of_an_override_is_read_as_yaml(override: str, expected: dict[str, Any]) -> None:
    if override == "title=":
        assert "title" in refusal(None, override)  # nothing at all is null, not an empty text
    else:
        assert load(Job, None, [override]) == Job.model_validate(expected)


def test_the_words_of_a_choice_are_not_taken_for_truth_values() -> None:
    class Choice(Config):
        alternate: Literal["off", "both"] = "both"

    assert load(Choice, None, ["alternate=off"]).alternate == "off"


def test_a_language_called_no_is_a_language() -> None:
    assert load(HarvestConfig, None, ["transcribe.language=no"]).transcribe.language == "no"


@pytest.mark.parametrize("override", ["", "title", "=1", ".=1", "a..b=1", "model.=1", ".title=1", "model.optim.lr"])
def test_an_override_of_another_form_is_refused(override: str) -> None:
    assert "a.b=value" in refusal(None, override)


def test_a_part_of_a_single_value_cannot_be_set(yaml_file: Path) -> None:
    assert "title" in refusal(None, "title=x", "title.y=1")
    assert "'model'" in refused_yaml(yaml_file, "model: 5", "model.name=x")


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("titel=x", "'title'"),
        ("modle.name=x", "'model'"),
        ("model.nmae=x", "'model.name'"),
        ("model.optim.steps_=1", "'model.optim.steps'"),
        ("lr=1", "'model.optim.lr'"),
        ("model.lr=1", "'model.optim.lr'"),
        ("zzzzzz=1", "--show-config"),
    ],
)
def test_an_unknown_setting_is_named_with_the_nearest_one(override: str, suggestion: str) -> None:
    message = refusal(None, override)
    assert repr(override.partition("=")[0])[:-1].split(".")[0] in message
    assert suggestion in message


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("title=[a]", "title"),
        ("model.optim.lr=fast", "model.optim.lr"),
        ("model.optim.lr=-1", "model.optim.lr"),
        ("model.optim.lr=.nan", "model.optim.lr"),
        ("model.optim.lr=.inf", "model.optim.lr"),
        ("model.optim.steps=1.5", "model.optim.steps"),
        ("model.optim=3", "model.optim"),
        ("model.widths=[1, x]", "model.widths.1"),
        ("verbose=maybe", "verbose"),
        ("verbose=" + "[" * 1000, "verbose"),
        ("verbose=" + "a" * 100_000, "verbose"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(override: str, name: str) -> None:
    assert f"The setting {name}=" in refusal(None, override)


@pytest.mark.parametrize(
    "text",
    [
        "title: [",
        "title: 'open",
        "\ttitle: x",
        "title: x: y",
        "title: !!python/object/apply:os.system ['touch started']",
        "date: 2024-13-45",
        "? [1, 2]\n: 3",
        "title: *nobody",
        "model:\n  name: a\n  name: b\n",
        "title: a\ntitle: a\n",
        "[" * 1000,
        b"title: \xff\xfe\xff",
        b"title: \x00",
        "title: \x1b[2J",
    ],
)
def test_what_is_no_yaml_is_refused_naming_the_file(yaml_file: Path, text: str | bytes) -> None:
    assert f"{yaml_file} is not valid YAML" in refused_yaml(yaml_file, text)


@pytest.mark.parametrize(("text", "kind"), [("- a", "list"), ("text", "str"), ("5", "int"), ("2024-01-01", "date")])
def test_yaml_that_is_no_mapping_is_refused(yaml_file: Path, text: str, kind: str) -> None:
    assert kind in refused_yaml(yaml_file, text)


@pytest.mark.parametrize("text", ["1: 2", "null: 3", "model: {1: 2}", "true: x"])
def test_keys_that_are_no_text_are_refused(yaml_file: Path, text: str) -> None:
    assert "keys should be strings" in refused_yaml(yaml_file, text)


def test_yaml_that_grows_without_bound_is_refused_at_once(yaml_file: Path) -> None:
    """A page that stands for ten to the twelfth numbers, and a list within itself."""
    levels = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12))
    assert "verbose" in refused_yaml(yaml_file, f"a0: &a0 [1]\n{levels}verbose: *a11\n")
    assert "verbose" in refused_yaml(yaml_file, "verbose: &a [*a]")


def test_a_huge_file_is_refused_unread(yaml_file: Path) -> None:
    assert str(MAX_YAML_BYTES) in refused_yaml(yaml_file, "#" * (MAX_YAML_BYTES + 1))


def test_empty_files_and_a_byte_order_mark_are_fine(yaml_file: Path) -> None:
    for text in ("", "{}", "# nothing\n", "---\n", "\ufeffverbose: false\n"):
        yaml_file.write_text(text, encoding="utf-8")
        assert load(Job, yaml_file) == Job()


def test_overriding_one_use_of_an_alias_leaves_the_other(yaml_file: Path) -> None:
    yaml_file.write_text("model: &m {optim: {lr: 0.5}}\n")
    yaml_file.write_text("model:\n  optim: &o {lr: 0.5}\n")
    assert load(Job, yaml_file, ["model.optim.lr=0.7"]).model.optim.lr == 0.7

    class Two(Job):
        other: Model = Model()

    yaml_file.write_text("model: &m {optim: {lr: 0.5}}\nother: *m\n")
    two = load(Two, yaml_file, ["model.optim.lr=0.7"])
    assert (two.model.optim.lr, two.other.optim.lr) == (0.7, 0.5)


def test_a_name_is_looked_up_in_the_package_and_a_path_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").write_text("trainer: {steps: 7}\n")
    (tmp_path / "tiny.yaml").write_text("trainer: {steps: 8}\n")
    packaged = load(TrainConfig, "tiny")
    assert packaged == load(TrainConfig, PACKAGE_FOLDER / "train" / "tiny.yaml")
    assert load(TrainConfig, "./tiny").trainer.steps == 7
    assert load(TrainConfig, "tiny.yaml").trainer.steps == 8


def test_an_unknown_name_is_told_with_the_known_ones_and_a_missing_file_as_such() -> None:
    assert "tiny" in refusal("huge")
    assert "no settings file 'no/such.yaml'" in refusal("no/such.yaml")
    assert "no settings file 'huge.yml'" in refusal("huge.yml")
    assert "no settings file" in refusal(Path("/"))
    for name in ("", "..", "tiny\x00"):
        assert "no settings named" in refusal(name)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE_FOLDER.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_packaged_file_is_valid_and_survives_dump_and_load(path: Path, tmp_path: Path) -> None:
    schemas: dict[str, type[Config]] = {"harvest": HarvestConfig, "train": TrainConfig}
    schema = schemas[path.parent.name]
    config = load(schema, path.stem)
    (tmp_path / "config.yaml").write_text(dump(config), encoding="utf-8")
    assert load(schema, tmp_path / "config.yaml") == config
    assert config_digest(load(schema, tmp_path / "config.yaml")) == config_digest(config)


JOBS = st.builds(
    Job,
    title=st.text(),
    verbose=st.booleans(),
    limit=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    model=st.builds(Model, name=st.text(), widths=st.lists(st.integers()).map(tuple), optim=st.just(Optim())),
)


@hypothesis_settings(max_examples=40, deadline=None)
@given(JOBS)
def test_what_is_dumped_is_what_is_loaded(tmp_path_factory: pytest.TempPathFactory, job: Job) -> None:
    path = tmp_path_factory.getbasetemp() / "dumped.yaml"
    path.write_bytes(dump(job).encode())
    assert load(Job, path) == job


def test_the_digest_changes_with_any_value_and_nothing_else(yaml_file: Path) -> None:
    changes = [
        "title=x",
        "verbose=true",
        "limit=1",
        "limit=0",
        "model.name=x",
        "model.widths=[2, 1]",
        "model.widths=[]",
    ]
    changes += ["model.optim.lr=0.2", "model.optim.steps=99"]
    digests = [config_digest(load(Job, None, [change] if change else [])) for change in ["", *changes]]
    assert len({*digests}) == len(changes) + 1
    yaml_file.write_text("model: {optim: {steps: 100, lr: 1.0e-1}}\ntitle: a job\n")
    assert config_digest(load(Job, yaml_file)) == digests[0]


def test_the_digest_is_the_same_in_every_process() -> None:
    program = "from configs import *; from tests.configs.small import Job; print(config_digest(Job()))"
    root = Path(__file__).parents[2]
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, check=True
        )
        assert done.stdout.decode().strip() == config_digest(Job())


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Job().title = "another"  # type: ignore[misc]
    assert yaml.safe_load(dump(Job()))["title"] == "a job"
