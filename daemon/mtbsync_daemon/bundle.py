"""A job that went wrong as one file that can be sent to somebody, without saying who or where one is.

Paths, the user's and the computer's name are replaced by words that stay the same throughout a bundle. No
video is in it, no index, and nothing of GPS.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import socket
import sqlite3
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from mtbsync_daemon.config import Config, ConfigError, load_config
from mtbsync_daemon.places import Places
from mtbsync_daemon.results import LIKENESS, PAIRS, PERF, TIMEWARP
from mtbsync_daemon.store import jobs, recordings, syncs, trails
from mtbsync_daemon.store.jobs import JobRow
from mtbsync_daemon.store.reader import reading
from mtbsync_daemon.store.recordings import RecordingRow, StoredFile
from mtbsync_daemon.store.syncs import SyncRow
from mtbsync_engine.errors import InputError
from mtbsync_engine.files import replacing

_LARGEST_BYTES = 5 * 2**20
_LOG_BYTES = 2**20
_MOST_SYNCS = 20
_RESULTS = (TIMEWARP, PAIRS, PERF, LIKENESS)
# What tells where a trail goes, and what somebody wrote into markers.
_PRIVATE = ("cells", "markers", "comment", "extra", "losses")
_ABOUT = """\
This is what mtbsync knows of one job, to find out why it did not do well.

In it: the job, its recording and syncs as the library has them, its log, small results, the settings,
versions.
Not in it: videos, indexes, GPS, markers. Folders, the user's name and the computer's name are replaced
by words like <home>, <folder-1>, <user>; names of files and of folders below the watched ones are kept.
Have a look before you send it.
"""


def write_bundle(places: Places, config_path: Path, job_id: str, out: Path) -> list[str]:
    """Pack what is known of a job into the zip `out`; gives the names of what is in it.

    Raises:
        InputError: there is no such job, or no library.
        OutputError: it cannot be written.
    """
    with reading(places.database) as library:
        job = library.read(jobs.get, job_id)
        if job is None:
            raise InputError(f"There is no job called {job_id}; `mtbsync status` names those that failed.")
        found = library.read(_Found.of, job)
    config, settings = _settings(config_path)
    redact = Redactor.for_this_computer(places, config_path, config, found.files)
    documents = found.documents() | {"settings.json": settings, "about.json": _about()}
    members = {"README.txt": _ABOUT.encode()}
    members |= {name: _json(redact.values(document)) for name, document in documents.items()}
    members["log.txt"] = redact.text(_end_of(places.log_of(job_id))).encode("utf-8", "backslashreplace")
    if found.results_of is not None:
        members |= _results(places.artifacts / "syncs" / found.results_of, redact)
    with replacing(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return list(members)


@dataclass(frozen=True)
class _Found:
    """A job with the rows of the library that belong to it; `files` are those of all recordings involved."""

    job: JobRow
    recording: RecordingRow | None
    own_files: tuple[StoredFile, ...]
    syncs: tuple[SyncRow, ...]
    results_of: str | None
    files: tuple[Path, ...]

    @classmethod
    def of(cls, db: sqlite3.Connection, job: JobRow) -> _Found:
        """What `db` knows of `job`."""
        recording_id = job.recording_id or ""
        done = syncs.page(db, _MOST_SYNCS, recording_id=recording_id) if recording_id else []
        own = recordings.files_of(db, recording_id)
        if "first" in job.params:
            own = recordings.group(db, Path(job.params["first"]))
        sync = (
            syncs.of_job(db, job.job_id)
            or syncs.get(db, job.params.get("sync", ""))
            or next(iter(done), None)
        )
        tried = {candidate["trail_id"] for one in done for candidate in one.candidates}
        references = [trail.recording_id for trail in trails.all_of(db) if trail.trail_id in tried]
        others = [file for reference in references for file in recordings.files_of(db, reference)]
        return cls(
            job=job,
            recording=recordings.get(db, recording_id),
            own_files=tuple(own),
            syncs=tuple(done),
            results_of=None if sync is None else sync.job_id,
            files=tuple(file.path for file in (*own, *others)),
        )

    def documents(self) -> dict[str, Any]:
        """The rows, as plain values, by what they are called in a bundle."""
        return {
            "job.json": asdict(self.job),
            "recording.json": {
                "recording": self.recording and asdict(self.recording),
                "files": [asdict(file) for file in self.own_files],
            },
            "syncs.json": [asdict(sync) for sync in self.syncs],
        }


# --- what is taken out ------------------------------------------------------------------------------


class Redactor:
    """Puts words in place of folders and names."""

    def __init__(self, folders: Mapping[PurePath, str], names: Mapping[str, str]) -> None:
        """`folders` and `names` each with the word that stands for it."""
        found = {
            variant: word
            for folder, word in folders.items()
            for variant in _variants(folder)
            if str(folder) != folder.anchor
        }
        # The longest first: a folder may lie in another.
        self._folders = [
            (re.compile(_path_pattern(text), re.IGNORECASE), f"<{word}>")
            for text, word in sorted(found.items(), key=lambda item: -len(item[0]))
        ]
        self._names = [
            (re.compile(rf"(?<![^\W_<]){re.escape(name)}(?![^\W_])", re.IGNORECASE), f"<{word}>")
            for name, word in sorted(names.items(), key=lambda item: -len(item[0]))
            if len(name) > 1
        ]

    @classmethod
    def for_this_computer(
        cls, places: Places, config_path: Path, config: Config, files: Iterable[Path]
    ) -> Redactor:
        """One that knows this user, this computer, and the folders that mtbsync has to do with."""
        folders: dict[PurePath, str] = {
            Path.home(): "home",
            Path(sys.base_prefix): "python",
            Path(sys.prefix): "python",
            Path(__file__).parents[1]: "mtbsync",
            config_path.parent: "config",
            places.data: "data",
        }
        numbered = [("folder", folder.path) for folder in config.folder]
        numbered += [("root", root) for root in config.roots]
        outputs = [config.output, *(folder.output for folder in config.folder)]
        numbered += [("output", output) for output in outputs if output is not None]
        watched = [folder.path for folder in config.folder]
        strays = {file.parent for file in files if not any(file.is_relative_to(w) for w in watched)}
        numbered += [("folder", stray) for stray in sorted(strays)]
        n_of: dict[str, int] = {}
        for kind, path in numbered:
            if path not in folders:
                n_of[kind] = n_of.get(kind, 0) + 1
                folders[path] = f"{kind}-{n_of[kind]}"
        host = socket.gethostname()
        names = dict.fromkeys((host, host.partition(".")[0], platform.node()), "host")
        names |= dict.fromkeys((getpass.getuser(), Path.home().name), "user")
        if config.executor.dask is not None:
            names[config.executor.dask] = "dask"
        real: dict[PurePath, str] = {Path(os.path.realpath(path)): word for path, word in folders.items()}
        return cls(real | folders, names)

    def text(self, text: str) -> str:
        """`text` without folders and names."""
        text = self._without_folders(text)
        for pattern, word in self._names:
            text = pattern.sub(word, text)
        return text

    def values(self, value: Any) -> Any:
        """Plain values without folders and names, without where a trail goes, and without markers."""
        if isinstance(value, Mapping):
            return {
                self._without_folders(str(key)): self.values(one)
                for key, one in value.items()
                if key not in _PRIVATE
            }
        if isinstance(value, list | tuple):
            return [self.values(one) for one in value]
        return self.text(str(value)) if isinstance(value, str | PurePath) else value

    def _without_folders(self, text: str) -> str:
        for pattern, word in self._folders:
            text = pattern.sub(word, text)
        # Whatever else looks like a whole path: its last name stays.
        for pattern in (_POSIX_PATH, _WINDOWS_PATH, _SHARE_PATH):
            text = pattern.sub("<path>/", text)
        return text


# What follows names without spaces: a sentence goes on behind them.
_NAME = r"[^\\/\s\"'<>|:;,*?()\[\]{}]+"
_POSIX_PATH = re.compile(rf"(?<![\w<>./~\\-])/(?:{_NAME}/)+")
_WINDOWS_PATH = re.compile(rf"(?<!\w)[A-Za-z]:[\\/]+(?:{_NAME}[\\/]+)*")
_SHARE_PATH = re.compile(rf"(?<![\w\\>])\\{{2,4}}(?:{_NAME}[\\/]+)+")


def _variants(folder: PurePath) -> set[str]:
    """A folder as it may be written: plainly, and in a URL."""
    return {str(folder), quote(folder.as_posix())}


def _path_pattern(text: str) -> str:
    # Separators may be of either kind, and doubled where a path was quoted.
    parts = [re.escape(part) for part in re.split(r"[\\/]+", text)]
    return r"[\\/]+".join(parts) + r"(?!\w)"


# --- what is put in ---------------------------------------------------------------------------------


def _results(sync: Path, redact: Redactor) -> dict[str, bytes]:
    """The small ones of a sync's results, for each trail that was tried."""
    found = {}
    for path in sorted(sync.glob("*/*")):
        if path.name not in _RESULTS or path.stat().st_size > _LARGEST_BYTES:
            continue
        content = path.read_bytes()
        if path.suffix in (".json", ".csv"):
            content = _redacted(content, redact)
        found[f"results/{path.parent.name}/{path.name}"] = content
    return found


def _redacted(content: bytes, redact: Redactor) -> bytes:
    text = content.decode("utf-8", "replace")
    try:
        return _json(redact.values(json.loads(text)))
    except ValueError:
        # A table, or what is left of a damaged file.
        return redact.text(text).encode()


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"There is no log: {error.strerror}.\n"


def _settings(config_path: Path) -> tuple[Config, Any]:
    """The settings, and what of them is told."""
    try:
        config = load_config(config_path)
    except ConfigError as error:
        return Config(), {"error": str(error)}
    return config, config.model_dump(mode="json")


def _about() -> dict[str, Any]:
    import psutil

    libraries = [re.split(r"[^\w.-]", requirement)[0] for requirement in requires("mtbsync") or ()]
    return {
        "mtbsync": version("mtbsync"),
        "python": platform.python_version(),
        "system": [platform.system(), platform.release(), platform.machine()],
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: _version(name) for name in sorted(set(libraries) - {"mtbsync"})},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"
