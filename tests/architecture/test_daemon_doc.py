"""docs/daemon.md says of every setting what it is by default, and its examples are accepted."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from mtbsync_daemon.config import Config, Folder, load_config
from mtbsync_daemon.places import Places
from mtbsync_daemon.prune import KEPT_BACKUPS
from mtbsync_daemon.store.jobs import Kind, State

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "daemon.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]+?) \|", TEXT.split("## Settings")[1], re.MULTILINE))
EXAMPLES = [
    example
    for document in ("docs/daemon.md", "README.md")
    for example in re.findall(
        r"^```toml\n(.*?)^```", (ROOT / document).read_text(encoding="utf-8"), re.M | re.S
    )
]


def _settings(table: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Every setting with its default, None where it has none of its own."""
    found: dict[str, Any] = {}
    for name, field in table.model_fields.items():
        if table is Config and name == "folder":
            found |= _settings(Folder, "folder.")
        elif isinstance(field.default, BaseModel):
            found |= _settings(type(field.default), f"{name}.")
        else:
            found[prefix + name] = None if field.is_required() else field.default
    return found


SETTINGS = _settings(Config)


def test_every_setting_is_in_the_table_and_none_that_does_not_exist() -> None:
    assert set(ROWS) >= set(SETTINGS)
    files = {"library.sqlite", "daemon.json", "daemon.lock", "housekeeping"}
    assert set(ROWS) - set(SETTINGS) - files == set()


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_each_default_is_the_one_that_counts(name: str) -> None:
    default, told = SETTINGS[name], ROWS[name]
    if default is None:
        assert "`" not in told or told == "as `output`"
        return
    value = tomllib.loads(f"x = {told.strip('`')}")["x"]
    assert value == (list(default) if isinstance(default, tuple) else default)


def _keys(document: dict[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for name, value in document.items():
        tables = value if isinstance(value, list) and value and isinstance(value[0], dict) else [value]
        for table in tables:
            found |= _keys(table, f"{prefix}{name}.") if isinstance(table, dict) else {prefix + name}
    return found


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_accepted(example: str, tmp_path: Path) -> None:
    path = tmp_path / "mtbsync.toml"
    # A whole path begins otherwise on Windows.
    path.write_text(example.replace('"/mnt', f'"{tmp_path.as_posix()}/mnt'), encoding="utf-8")
    assert load_config(path) != Config()


def test_one_example_shows_every_setting() -> None:
    assert max((_keys(tomllib.loads(example)) for example in EXAMPLES), key=len) == set(SETTINGS)


def test_every_state_and_kind_of_a_job_is_explained() -> None:
    states = set(re.findall(r"^\| ([a-z_]+) \|", TEXT.split("## Jobs")[1].split("##")[0], re.MULTILINE))
    assert states - {"state"} == {state.value for state in State}
    assert all(f"**{kind}**" in TEXT or f"`{kind}`" in TEXT for kind in Kind)


def test_everything_in_the_data_folder_is_named(tmp_path: Path) -> None:
    places = Places(tmp_path)
    folders = [places.backups, places.artifacts, places.logs, places.output, places.media, places.footage]
    files = [places.database, places.info, places.lock, places.housekeeping]
    for name in (*(f"`{folder.name}/`" for folder in folders), *(f"`{file.name}`" for file in files)):
        assert name in TEXT
    assert f"the newest {('none', 'one', 'two', 'three')[KEPT_BACKUPS]}" in TEXT
