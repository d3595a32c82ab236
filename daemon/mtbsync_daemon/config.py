"""The settings: one TOML file, checked as a whole, with errors that name the line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from mtbsync_engine.errors import InputError

FIND = "find"
_DEFAULT_FORMATS = ("csv", "resolve-edl")
_KEY = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*=""")
_TABLE = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]")
_BACKSLASH = (
    " A backslash begins something else there: in paths write / instead, or put them into single quotes."
)
_HEADER = """\
# mtbsync's settings. Changes count at once; `mtbsync doctor` says what is wrong with them.
# Every setting, with an example: docs/daemon.md

# [[folder]]
# path = "~/Videos/Rides"
# trail = "find"
# formats = ["csv", "resolve-edl"]
"""


class ConfigError(InputError):
    """The settings cannot be used."""


def _absolute(path: Path) -> Path:
    try:
        wanted = path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path.parts[0]} is nobody's home here; your own is ~/ with a slash") from None
    if not wanted.is_absolute():
        raise ValueError("must be a whole path, from the drive or / or ~ on")
    return wanted


def _known_formats(names: tuple[str, ...]) -> tuple[str, ...]:
    from mtbsync_integrations.formats import format_names

    unknown = [name for name in names if name not in format_names()]
    if unknown:
        raise ValueError(f"knows no format called {unknown[0]}; there are {', '.join(format_names())}")
    return names


def _named(name: str) -> str:
    if not name.strip():
        raise ValueError(f'is empty; name a trail, or "{FIND}" to have it found')
    return name


WholePath = Annotated[Path, AfterValidator(_absolute)]
Formats = Annotated[tuple[str, ...], AfterValidator(_known_formats)]
TrailName = Annotated[str, AfterValidator(_named)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Folder(_Table):
    """A folder that is watched. `trail` is a trail's name, or "find" to have it found; with `session`, what
    comes is a camera of the session of that title, and of no trail. Exports go to
    `output`, or beside the footage. A file is taken once it has stood still for `settle_s` seconds, one that
    further chapters may follow once none came for `late_s`; `polling` looks again and again where events do
    not come, as on network shares."""

    path: WholePath
    trail: TrailName = FIND
    session: str | None = Field(default=None, min_length=1, max_length=200)
    formats: Formats = _DEFAULT_FORMATS
    output: WholePath | None = None
    beside_footage: bool = False
    settle_s: float = Field(default=5.0, ge=0.05, le=3600)
    late_s: float = Field(default=20.0, ge=0, le=86400)
    polling: bool = False


class Storage(_Table):
    """Where what is made of sessions' footage is kept: in `folder` (None: in the data folder), or in `bucket`
    of a store that speaks S3, at `endpoint` (None: Amazon's) and below `prefix`. Its keys are those that the
    AWS tools of this computer use, of `profile` where there are several. Sounds and waveforms stay for
    `wav_days`, mezzanines for `mezzanine_days`; all of them can be made again."""

    folder: WholePath | None = None
    bucket: str | None = Field(default=None, min_length=3, max_length=63)
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    prefix: str = ""
    wav_days: float = Field(default=30.0, gt=0, le=1e5)
    mezzanine_days: float = Field(default=90.0, gt=0, le=1e5)


class Jobs(_Table):
    """How much is done at a time: `slots` jobs, each with `threads`; None leaves it to the machine."""

    slots: int | None = Field(default=None, ge=1, le=64)
    threads: int | None = Field(default=None, ge=1, le=256)


class Keep(_Table):
    """How much of what can be made again is kept, and for how long."""

    artifacts_gb: float = Field(default=20.0, gt=0, le=1e6)
    days: float = Field(default=90.0, gt=0, le=1e5)


class ExecutorChoice(_Table):
    """Where jobs run: child processes on this machine, or the Dask cluster at this address."""

    dask: str | None = None


class Server(_Table):
    """The port of the page and the interface; 0 takes a free one."""

    port: int = Field(default=0, ge=0, le=65535)


class Config(_Table):
    """Everything that can be set. `roots` are folders whose files may be used although they are not watched;
    `output` is where exports go unless a folder says otherwise (None: in the data folder)."""

    folder: tuple[Folder, ...] = ()
    roots: tuple[WholePath, ...] = ()
    output: WholePath | None = None
    formats: Formats = _DEFAULT_FORMATS
    sweep_s: float = Field(default=300.0, ge=0.1, le=86400)
    server: Server = Server()
    jobs: Jobs = Jobs()
    keep: Keep = Keep()
    executor: ExecutorChoice = ExecutorChoice()
    storage: Storage = Storage()

    @field_validator("folder")
    @classmethod
    def _each_once(cls, folders: tuple[Folder, ...]) -> tuple[Folder, ...]:
        for k, folder in enumerate(folders):
            for other in folders[:k]:
                if folder.path.is_relative_to(other.path) or other.path.is_relative_to(folder.path):
                    raise ValueError(
                        f"{folder.path} and {other.path} lie one in the other; watch the outer one"
                    )
        return folders

    @field_validator("storage")
    @classmethod
    def _not_watched(cls, storage: Storage, known: ValidationInfo) -> Storage:
        for folder in known.data.get("folder", ()):
            if storage.folder is not None and folder.path.is_relative_to(storage.folder):
                raise ValueError(
                    f"{folder.path} is watched and lies in {storage.folder}, so what is made of footage "
                    "would be taken for footage; name another folder"
                )
        return storage

    @property
    def readable_roots(self) -> tuple[Path, ...]:
        """The folders whose files may be used."""
        return (*(folder.path for folder in self.folder), *self.roots)


_TABLES: dict[str, type[_Table]] = {
    "folder": Folder,
    "server": Server,
    "jobs": Jobs,
    "keep": Keep,
    "executor": ExecutorChoice,
    "storage": Storage,
}


def load_config(path: Path) -> Config:
    """The settings at `path`; where there is no such file, those of a fresh installation.

    Raises:
        ConfigError: it cannot be read or understood; the sentence names the line.
    """
    return understood(read_text(path), path)


def read_text(path: Path) -> str:
    """What the file at `path` says; nothing where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        # Line ends stay as they are, for whoever changes a part of it.
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error


def understood(text: str, path: Path) -> Config:
    """The settings that `text`, from the file at `path`, says.

    Raises:
        ConfigError: it cannot be understood; the sentence names the line.
    """
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        hint = _BACKSLASH if "\\" in text else ""
        raise ConfigError(f"{path} cannot be understood: {error}.{hint}") from error
    except ValidationError as error:
        first = error.errors()[0]
        line = _line_of(text, first["loc"])
        where = f"{path}, line {line}" if line else str(path)
        raise ConfigError(f"{where}: {_sentence(first['loc'], first)}.") from error


def write_first_config(path: Path) -> None:
    """Put a file there that says what can be set, where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(_HEADER, encoding="utf-8")


def add_folder(text: str, path: Path, folder: Path, trail: str) -> str:
    """`text`, from the file at `path`, with one more folder to watch; all else stays to the letter.

    Raises:
        ConfigError: `text` cannot be understood, or one of its folders and this one lie one in the other.
    """
    before = understood(text, path)
    text = text or _HEADER
    end = "\r\n" if "\r\n" in text else "\n"
    lines = ("[[folder]]", f"path = {_quoted(str(folder))}", f"trail = {_quoted(trail)}")
    made = text + ("" if text.endswith("\n") else end) + end + "".join(line + end for line in lines)
    return _checked(made, path, [*before.folder, Folder(path=folder, trail=trail)], before)


def remove_folder(text: str, path: Path, folder: Path) -> str:
    """`text`, from the file at `path`, without that watched folder; all else stays to the letter.

    Raises:
        ConfigError: `text` cannot be understood, or does not name that folder, or not in a table of its own.
    """
    before = understood(text, path)
    number = next((k for k, f in enumerate(before.folder) if f.path == folder), None)
    if number is None:
        raise ConfigError(f"{folder} is not watched any more.")
    lines = text.splitlines(keepends=True)
    begin = _line_of(text, ("folder", number))
    end = begin = (begin or 1) - 1
    for k in range(begin, len(lines)):
        if k > begin and _TABLE.match(lines[k]):
            break
        if lines[k].strip() and not lines[k].lstrip().startswith("#"):
            end = k + 1
    # The empty line that sets it off goes with it.
    is_set_off = begin > 0 and not lines[begin - 1].strip()
    if is_set_off and (end == len(lines) or not lines[end].strip()):
        begin -= 1
    made = "".join(lines[:begin] + lines[end:])
    return _checked(made, path, [f for f in before.folder if f.path != folder], before)


def _checked(text: str, path: Path, folders: Sequence[Folder], before: Config) -> str:
    """`text`, if it says what was said `before` but for these folders."""
    try:
        if understood(text, path) == before.model_copy(update={"folder": tuple(folders)}):
            return text
    except ConfigError as error:
        if not isinstance(error.__cause__, tomllib.TOMLDecodeError):
            raise
    raise ConfigError(
        f"{path} names its folders in a way of its own; write [[folder]] for each, or change it by hand."
    )


def _quoted(text: str) -> str:
    """A string as TOML has it: as JSON does, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _sentence(loc: Sequence[int | str], error: Any) -> str:
    name = ".".join(str(part) for part in loc if not isinstance(part, int)) or "the file"
    if error["type"] == "extra_forbidden":
        table = _TABLES.get(str(loc[0]), Config) if len(loc) > 1 else Config
        near = get_close_matches(str(loc[-1]), table.model_fields, 1)
        return f"there is no setting called {name}" + (f", but one called {near[0]}" if near else "")
    if error["type"] == "tuple_type":
        how = "[[folder]], with two brackets," if name == "folder" else f'{name} = ["…", "…"]'
        return f"there may be several; write {how} for each" if name == "folder" else f"write {how}"
    if error["type"] == "missing":
        return f"{name} is missing"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"


def _line_of(text: str, loc: Sequence[int | str]) -> int | None:
    """The line, from 1, of the setting that `loc` leads to, or of the table that lacks it.

    TOML's readers in Python tell no lines; the settings here are plain keys in tables one or two deep.
    """
    table: list[int | str] = []
    n_of: dict[str, int] = {}
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = list(header[2].split("."))
            if header[1] == "[[":
                n_of[header[2]] = n_of.get(header[2], -1) + 1
                table.append(n_of[header[2]])
            here = table
        elif key := _KEY.match(line):
            here = [*table, next(part for part in key.groups() if part is not None)]
        else:
            continue
        common = min(len(here), len(loc))
        if list(loc[:common]) == here[:common] and (best is None or common > best[0]):
            best = common, number
    return best and best[1]
