"""What is wrong with this installation and how to mend it: one function a question.

Each looks and changes nothing that stays; `examine` asks them all.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from mtbsync_daemon.config import FIND, Config, ConfigError, Folder, load_config
from mtbsync_daemon.hints import hint
from mtbsync_daemon.places import Places
from mtbsync_engine.errors import MtbsyncError, OutputError

_GB = 1e9
# An index of ten minutes takes some 30 MB, and SQLite must always have room.
_SCARCE_BYTES, _NONE_BYTES = 2 * _GB, 0.1 * _GB
_CONNECT_S = 3.0
_IMPORT_S = 120.0
# onnxruntime is loaded by the one module that keeps it from telling its makers.
_LIBRARIES = (
    "numpy",
    "scipy",
    "cv2",
    "av",
    "mtbsync_engine.index.runtime",
    "opentimelineio",
    "lxml",
    "usearch",
)
_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "afp",
    "9p",
    "davfs",
    "webdav",
    "sshfs",
    "rclone",
    "vboxsf",
    "prl_fs",
    "ncpfs",
)
_MOST_FOLDERS_COUNTED = 200_000


class Level(StrEnum):
    """How it stands: well, well enough for now, or not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """The answer to one question: a sentence, and what to do where all is not well."""

    subject: str
    level: Level
    sentence: str
    remedy: str = ""


def examine(config_path: Path, data: Path) -> Iterator[Finding]:
    """Ask everything, one after the other."""
    places = Places(data)
    config = Config()
    yield look_at_settings(config_path)
    try:
        config = load_config(config_path)
    except ConfigError:
        pass
    else:
        if not config.folder:
            yield nothing_watched(config_path)
    yield look_at_data(data)
    yield look_at_space(data)
    if places.footage.exists():
        yield look_at_footage(places.footage)
    yield look_at_library(places)
    yield look_at_storage(places, config)
    is_running = is_held(places.lock)
    yield look_at_daemon(places, is_running)
    if places.info.exists():
        yield look_at_secret(places.info)
    if config.server.port and not is_running:
        yield look_at_port(config.server.port)
    for folder in config.folder:
        yield look_at_folder(folder, _mounts())
        for own in own_near(folder.path, places.data, config.storage.folder or places.media):
            yield look_at_own(folder, own)
        if folder.trail != FIND:
            yield look_at_trail(folder, places)
    if sys.platform == "linux" and config.folder:
        yield look_at_watches(config.folder)
    for output in outputs_of(config, places):
        yield look_at_output(output)
    yield look_at_resolve()
    if config.executor.dask is not None:
        yield look_at_dask(config.executor.dask)
    yield look_at_telemetry()
    yield look_at_libraries(_LIBRARIES)


# --- settings and data -----------------------------------------------------------------------------


def look_at_settings(path: Path) -> Finding:
    """Whether the settings can be read."""
    if not path.exists():
        remedy = "`mtbsync serve` writes a first one; docs/daemon.md names every setting."
        return Finding("settings", Level.WARN, f"There is no settings file at {path}.", remedy)
    try:
        load_config(path)
    except ConfigError as error:
        remedy = "Mend that line; docs/daemon.md names every setting with an example."
        return Finding("settings", Level.FAIL, str(error), remedy)
    return Finding("settings", Level.OK, f"{path} can be used.")


def nothing_watched(path: Path) -> Finding:
    """No folder is watched."""
    remedy = f'Write `[[folder]]` and `path = "…"` into {path}; changes count at once.'
    return Finding("folders", Level.WARN, "No folder is watched.", remedy)


def look_at_data(data: Path) -> Finding:
    """Whether the daemon can keep things."""
    problem = _why_not_writable(data)
    if problem:
        return Finding("data folder", Level.FAIL, problem, "Make it writable, or name another with --data.")
    return Finding("data folder", Level.OK, f"{data} can be written.")


def look_at_space(data: Path) -> Finding:
    """Whether the disk has room."""
    n_bytes = shutil.disk_usage(_nearest(data)).free
    sentence = f"{n_bytes / _GB:.1f} GB are free on the disk of {data}."
    remedy = (
        "Make room: `mtbsync prune` removes what can be made again, keep.artifacts_gb sets how much stays."
    )
    if n_bytes < _NONE_BYTES:
        return Finding("disk", Level.FAIL, sentence, remedy)
    if n_bytes < _SCARCE_BYTES:
        return Finding("disk", Level.WARN, sentence, remedy)
    return Finding("disk", Level.OK, sentence)


def look_at_footage(footage: Path) -> Finding:
    """How much was dropped onto the page, which nobody may have elsewhere."""
    sizes = [path.stat().st_size for path in footage.glob("[!.]*/*") if path.is_file()]
    what = f"{len(sizes)} files ({sum(sizes) / _GB:.1f} GB)"
    sentence = f"{what} that were dropped onto the page lie in {footage}."
    remedy = "That may be the only copy of them: back it up, as mtbsync keeps no second one."
    return Finding("footage", Level.OK, sentence, remedy if sizes else "")


def look_at_library(places: Places) -> Finding:
    """Whether the library is whole and of a version that can be used."""
    from mtbsync_daemon.store.database import LibraryError, check_integrity, how_to_restore
    from mtbsync_daemon.store.reader import reading

    path = places.database
    if not path.exists():
        return Finding("library", Level.OK, "There is no library yet; the daemon makes one.")
    restore = how_to_restore(path, places.backups)
    try:
        found = check_integrity(path)
        if found != "ok":
            return Finding("library", Level.FAIL, f"{path} is damaged: {found}.", restore)
        with reading(path):
            return Finding("library", Level.OK, f"{path} is whole.")
    except LibraryError as error:
        is_damage = "cannot be read" in str(error)
        return Finding("library", Level.FAIL, str(error), restore if is_damage else "")


def look_at_storage(places: Places, config: Config) -> Finding:
    """Whether the place answers where what is made of sessions' footage is kept."""
    from mtbsync_daemon.library import Library
    from mtbsync_daemon.storage import StorageAwayError, StorageError, reach

    try:
        reach(Library(places, lambda: config).storage())
    except StorageAwayError as error:
        remedy = "Until then sessions wait for it; `[storage]` in the settings may name another."
        return Finding("storage", Level.WARN, str(error), remedy)
    except StorageError as error:
        remedy = (
            "Put that right, or name another in `[storage]` of the settings; then have what failed meanwhile "
            "tried again on the page."
        )
        return Finding("storage", Level.FAIL, str(error), remedy)
    bucket, folder = config.storage.bucket, config.storage.folder or places.media
    return Finding("storage", Level.OK, f"{f'The bucket {bucket}' if bucket else folder} can be reached.")


# --- the daemon ------------------------------------------------------------------------------------


def is_held(lock: Path) -> bool:
    """Whether a daemon holds the data folder."""
    from filelock import FileLock, Timeout

    if not lock.exists():
        return False
    try:
        with FileLock(lock, blocking=False):
            return False
    except (Timeout, OSError):
        return True


def look_at_daemon(places: Places, is_running: bool) -> Finding:
    """Whether what daemon.json says is so."""
    from mtbsync_daemon.client import connect

    if not is_running:
        if places.info.exists():
            sentence = f"mtbsync was killed: {places.info} is still there."
            remedy = f"Start it again with {hint('mtbsync serve', places.data)}; it goes on."
            return Finding("daemon", Level.WARN, sentence, remedy)
        return Finding("daemon", Level.OK, "mtbsync is not running.")
    try:
        client = connect(places.data)
        health = client.get("/health")
    except MtbsyncError as error:
        sentence = f"mtbsync holds {places.data}, but does not answer. {error}"
        return Finding("daemon", Level.FAIL, sentence, "Stop its process, and start it again.")
    if health["status"] != "ok":
        sentence = f"mtbsync runs at {client.url}. {' '.join(health['reasons'])}"
        return Finding("daemon", Level.WARN, sentence, "It goes on by itself once that is mended.")
    return Finding("daemon", Level.OK, f"mtbsync runs at {client.url}.")


def look_at_secret(info: Path) -> Finding:
    """Whether nobody else can read the token."""
    if os.name == "posix" and info.stat().st_mode & 0o077:
        sentence = f"Other users of this computer can read {info}, and so drive mtbsync."
        return Finding(
            "token", Level.FAIL, sentence, "Restart mtbsync: it makes a new token in a file of its own."
        )
    return Finding("token", Level.OK, f"Only you can read {info}.")


def look_at_port(port: int) -> Finding:
    """Whether the port of the settings is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            # As the daemon does: a connection that was just closed is no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            sentence = f"Port {port} cannot be used ({error.strerror})."
            return Finding("port", Level.FAIL, sentence, "Set server.port to another one, or to 0 for any.")
    return Finding("port", Level.OK, f"Port {port} is free.")


# --- folders ----------------------------------------------------------------------------------------


def look_at_folder(folder: Folder, mounts: Sequence[tuple[str, str]]) -> Finding:
    """Whether a watched folder can be watched. `mounts` are places with what kind of disk is there."""
    subject, path = f"folder {folder.path}", folder.path
    if not path.exists():
        remedy = "Plug in or connect what it lies on, or correct its path in the settings."
        return Finding(subject, Level.WARN, "It is not there now; nothing of it is forgotten.", remedy)
    try:
        with os.scandir(path) as entries:
            next(entries, None)
    except OSError as error:
        sentence = f"It cannot be looked into ({error.strerror})."
        return Finding(subject, Level.FAIL, sentence, "Give yourself the right to read it.")
    kind = kind_of_disk(path, mounts)
    if is_network(kind) and not folder.polling:
        sentence = f"It lies on a network share ({kind}), which may not tell of new files."
        return Finding(subject, Level.WARN, sentence, "Set `polling = true` for it.")
    return Finding(subject, Level.OK, "It can be watched.")


def own_near(path: Path, data: Path, storage: Path) -> list[Path]:
    """Of the data folder and the storage's, those that lie in the watched folder `path`, and those in which
    nothing can be watched and it lies."""
    watched, its_data, kept = (Path(os.path.realpath(each)) for each in (path, data, storage))
    own = [data] if its_data.is_relative_to(watched) else []
    if kept.is_relative_to(watched) or watched.is_relative_to(kept):
        own.append(storage)
    return own


def look_at_own(folder: Folder, own: Path) -> Finding:
    """Whether what mtbsync makes and keeps in `own`, as `own_near` gives it, is not taken for footage."""
    subject = f"folder {folder.path}"
    if Path(os.path.realpath(folder.path)).is_relative_to(os.path.realpath(own)):
        sentence = f"It lies in {own}, where mtbsync keeps what it makes."
        return Finding(subject, Level.FAIL, sentence, "Watch another folder.")
    return Finding(subject, Level.OK, f"{own} in it, where mtbsync keeps what it makes, is passed over.")


def look_at_trail(folder: Folder, places: Places) -> Finding:
    """Whether there is the trail that a folder's runs are said to show."""
    from mtbsync_daemon.store import trails
    from mtbsync_daemon.store.database import LibraryError
    from mtbsync_daemon.store.reader import reading

    subject = f"trail of {folder.path}"
    try:
        with reading(places.database) as library:
            wanted, known = library.read(trails.named, folder.trail), library.read(trails.all_of)
    except LibraryError:
        # Another question is what is wrong with it.
        wanted, known = None, []
    if wanted is not None:
        return Finding(subject, Level.OK, f"Its runs are compared with {wanted.name}.")
    names = ", ".join(trail.name for trail in known) or "none yet"
    sentence = f"Its runs wait for a trail called {folder.trail}, which is not known; there is {names}."
    remedy = "Make that trail with `mtbsync trail add`, or correct `trail` in the settings."
    return Finding(subject, Level.WARN, sentence, remedy)


def kind_of_disk(path: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """What `path` lies on: the kind of the deepest mount that it is below."""
    real = os.path.normcase(os.path.realpath(path))
    if real.startswith("\\\\"):
        return "remote"
    found = [
        (len(where), kind)
        for where, kind in ((os.path.normcase(where), kind) for where, kind in mounts)
        if real == where or real.startswith(where.rstrip(os.sep) + os.sep)
    ]
    return max(found, default=(0, ""))[1]


def is_network(kind: str) -> bool:
    """Whether a disk of that kind is another machine's."""
    words = kind.lower().replace("fuse.", "")
    return words == "remote" or words.startswith(_NETWORK)


def _mounts() -> list[tuple[str, str]]:
    import psutil

    return [
        (part.mountpoint, "remote" if "remote" in part.opts.split(",") else part.fstype)
        for part in psutil.disk_partitions(all=True)
    ]


def look_at_watches(folders: Iterable[Folder]) -> Finding:
    """Whether Linux lets so many folders be followed."""
    limit = Path("/proc/sys/fs/inotify/max_user_watches")
    n_folders = sum(_n_folders(folder.path) for folder in folders if not folder.polling)
    return enough_watches(n_folders, int(limit.read_text(encoding="ascii")))


def enough_watches(n_folders: int, n_allowed: int) -> Finding:
    """Whether `n_allowed` is enough, as other programs need some too."""
    sentence = f"{n_folders} folders are followed; the system allows {n_allowed} for all programs."
    if n_folders > 0.8 * n_allowed:
        remedy = f"Allow more: `sudo sysctl fs.inotify.max_user_watches={max(524_288, 4 * n_folders)}`."
        return Finding("inotify", Level.WARN, sentence, remedy)
    return Finding("inotify", Level.OK, sentence)


def _n_folders(path: Path) -> int:
    n = 0
    for n, _ in enumerate(os.walk(path), start=1):
        if n >= _MOST_FOLDERS_COUNTED:
            break
    return n


def outputs_of(config: Config, places: Places) -> list[Path]:
    """The folders that exports go to, each once."""
    own = [config.output or places.output]
    for folder in config.folder:
        if folder.beside_footage:
            own.append(folder.path)
        elif folder.output is not None:
            own.append(folder.output)
    return list(dict.fromkeys(own))


def look_at_output(output: Path) -> Finding:
    """Whether exports can be written there."""
    problem = _why_not_writable(output)
    if problem:
        remedy = "Make it writable, or name another with `output` in the settings."
        return Finding(f"output {output}", Level.FAIL, problem, remedy)
    return Finding(f"output {output}", Level.OK, "It can be written.")


def _why_not_writable(folder: Path) -> str:
    """A sentence; empty where a file can be made there, or in what will hold the folder."""
    there = _nearest(folder)
    try:
        # Permissions alone do not tell: a disk may be mounted for reading only.
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return f"{there} cannot be written ({error.strerror})."


def _nearest(path: Path) -> Path:
    """The folder itself, or the deepest that there is above it."""
    return next((p for p in (path, *path.parents) if p.exists()), path)


# --- what it works with ------------------------------------------------------------------------------


def look_at_resolve() -> Finding:
    """Whether Resolve is here, and the scripts in its menu."""
    from mtbsync_integrations.resolve.install import find_scripts, installed

    try:
        found = installed(find_scripts())
    except OutputError:
        return Finding(
            "Resolve", Level.OK, "There is no DaVinci Resolve here; files for it are written all the same."
        )
    if found.is_installed:
        where = f"The scripts are in its menu ({found.folder})."
        sentence = f"{where} Studio runs them, and the free edition up to 21.0."
        return Finding("Resolve", Level.OK, sentence)
    if found.current or found.outdated:
        sentence = f"The scripts in {found.folder} are of another version."
        return Finding("Resolve", Level.WARN, sentence, "Run `mtbsync resolve install` again.")
    sentence = f"The scripts are not in its menu ({found.folder})."
    remedy = (
        "Run `mtbsync resolve install`; the free edition from 21.1 on needs `mtbsync resolve lua` instead."
    )
    return Finding("Resolve", Level.WARN, sentence, remedy)


def look_at_dask(address: str) -> Finding:
    """Whether the cluster of the settings can be reached."""
    if find_spec("distributed") is None:
        remedy = 'Install it: `pip install "mtbsync[dask]"`.'
        return Finding("Dask", Level.FAIL, "The package `distributed` is not installed.", remedy)
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        where = (parts.hostname or "", parts.port or 8786)
        with socket.create_connection(where, timeout=_CONNECT_S):
            return Finding("Dask", Level.OK, f"The scheduler at {address} answers.")
    except (OSError, ValueError) as error:
        sentence = f"The scheduler at {address} cannot be reached ({error})."
        return Finding("Dask", Level.FAIL, sentence, "Start it, or correct executor.dask in the settings.")


def look_at_telemetry() -> Finding:
    """Whether the telemetry of makes other than GoPro can be read."""
    if find_spec("telemetry_parser") is None:
        sentence = "telemetry-parser is not installed: only GoPro's own telemetry, GPX and FIT are read."
        return Finding("telemetry", Level.OK, sentence)
    return Finding("telemetry", Level.OK, "The telemetry of DJI, Insta360 and Sony is read as well.")


def look_at_libraries(names: Sequence[str]) -> Finding:
    """Whether the heavy libraries load, in a process of their own, as they do for jobs."""
    code = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, *names],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_IMPORT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("libraries", Level.FAIL, f"No process could be started for jobs: {error}.", _REINSTALL)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        why = said[-1] if said else f"exit status {done.returncode}"
        return Finding("libraries", Level.FAIL, f"A library does not load: {why}.", _REINSTALL)
    return Finding("libraries", Level.OK, f"Python {sys.version.split()[0]} and its libraries load.")


_REINSTALL = "Install mtbsync anew, into an environment of its own."
