"""The watched folders, and choosing one on this computer's disks."""

from __future__ import annotations

import errno
import os
import stat
import string
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import platformdirs

from mtbsync_daemon.config import Config, add_folder, remove_folder
from mtbsync_daemon.http import models
from mtbsync_daemon.http.files import on_disk
from mtbsync_daemon.http.models import means_find
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.roots import shown
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.services import Services
from mtbsync_daemon.store import trails
from mtbsync_daemon.watch.gather import is_passed_over, is_video

_MOST_LISTED = 1000
# On Linux what lies there is no file on any disk.
_NO_DISKS = tuple(map(Path, ("/proc", "/sys", "/dev"))) if sys.platform == "linux" else ()
# Below these, systems put disks that are plugged in or connected.
_MOUNTED_BELOW = {"darwin": ("/Volumes",), "linux": ("/media", "/run/media", "/mnt")}


async def several(call: Call) -> models.Folders:
    """The watched folders."""
    return _folders(call.services)


async def add(call: Call, body: models.FolderWanted) -> models.Folders:
    """Watch one more folder, with all below it, from now on; it stands in the settings file then."""
    settings, folder = call.services.settings, _tidy(body.path)
    if not means_find(body.trail) and await call.read(trails.named, body.trail) is None:
        raise not_found("trail")
    await on_disk(call.request, _check_watchable, folder, call.services.places.data, settings.current)
    await settings.change(partial(add_folder, path=settings.path, folder=folder, trail=body.trail))
    return _folders(call.services)


async def forget(call: Call, body: models.FolderUnwanted) -> models.Folders:
    """Watch a folder no more; its recordings stay known."""
    settings, folder = call.services.settings, _tidy(body.path)
    # The settings file may say it in another way.
    watched = next((rule.path for rule in settings.current.folder if _tidy(rule.path) == folder), None)
    if watched is None:
        raise Problem(404, f"{shown(folder)} is not watched.")
    await settings.change(partial(remove_folder, path=settings.path, folder=watched))
    return _folders(call.services)


async def look(call: Call) -> models.Empty:
    """Look at the watched folders now."""
    call.services.look_now()
    return models.Empty()


async def disk(call: Call, query: models.DiskQuery) -> models.Disk:
    """The folders in a folder of this computer, to choose one that is to be watched."""
    return await on_disk(call.request, _listed, None if query.path is None else _tidy(query.path))


def _tidy(path: str | Path) -> Path:
    return Path(os.path.normpath(path))


def _folders(services: Services) -> models.Folders:
    problems = services.folders()
    found = (
        models.Folder(path=shown(f.path), trail=f.trail, problem=problems.get(f.path, ""))
        for f in services.settings.current.folder
    )
    return models.Folders(folders=tuple(found))


# --- what may be watched ----------------------------------------------------------------------------


def _check_watchable(folder: Path, data: Path, config: Config) -> None:
    """Find out whether a person may have chosen that folder by mistake.

    Raises:
        Problem: so it seems.
    """
    name = shown(folder)
    if not folder.is_absolute():
        raise Problem(422, f"{name} is no whole path; name the folder from the drive or / on.")
    try:
        with os.scandir(folder):
            real = _real(folder)
    except OSError as error:
        raise _unreadable(folder, error) from error
    if real == real.parent and not real.drive.startswith("\\\\"):
        raise Problem(422, f"{name} is a whole drive; choose the folder on it that your footage lies in.")
    if any(real.is_relative_to(place) for place in _NO_DISKS):
        raise Problem(422, f"{name} is a part of the system; choose the folder that your footage lies in.")
    if _real(Path.home()).is_relative_to(real):
        raise Problem(
            422, f"All that you have lies in {name}; choose the folder in it that your footage lies in."
        )
    if _is_related(real, _real(data)):
        raise Problem(422, f"mtbsync keeps its own data in {shown(data)}; choose another folder.")
    for rule in config.folder:
        watched = _real(rule.path)
        if real.is_relative_to(watched):
            raise Problem(409, f"{name} is watched already, as {shown(rule.path)} is, with all below it.")
        if watched.is_relative_to(real):
            raise Problem(
                409, f"{shown(rule.path)}, which is watched, lies in {name}; stop watching it first."
            )


def _real(path: Path) -> Path:
    # `Path.resolve` fails where links lead round in a circle.
    return Path(os.path.realpath(path))


def _is_related(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _unreadable(folder: Path, error: OSError) -> Problem:
    name = shown(folder)
    if isinstance(error, FileNotFoundError):
        return Problem(422, f"There is no folder {name}.")
    if isinstance(error, NotADirectoryError):
        return Problem(422, f"{name} is no folder.")
    if error.errno == errno.ELOOP:
        return Problem(422, f"{name} is a link that leads round in a circle; choose the folder itself.")
    return Problem(422, f"{name} cannot be read ({error.strerror}); give yourself the right to read it.")


# --- what there is ----------------------------------------------------------------------------------


def _listed(folder: Path | None) -> models.Disk:
    if folder is None:
        begin = list(dict.fromkeys(_beginnings()))
        return models.Disk(path=None, parent=None, folders=tuple(map(_named, begin)), n_more=0, n_videos=0)
    if not folder.is_absolute():
        raise Problem(422, f"{shown(folder)} is no whole path; name the folder from the drive or / on.")
    try:
        with os.scandir(folder) as opened:
            entries = [entry for entry in opened if not _is_hidden(entry)]
    except OSError as error:
        raise _unreadable(folder, error) from error
    folders = sorted((e for e in entries if _is_folder(e)), key=lambda entry: entry.name.casefold())
    return models.Disk(
        path=shown(folder),
        parent=None if folder.parent == folder else shown(folder.parent),
        folders=tuple(_named(Path(entry.path)) for entry in folders[:_MOST_LISTED]),
        n_more=max(0, len(folders) - _MOST_LISTED),
        n_videos=sum(is_video(entry.name) for entry in entries),
    )


def _named(folder: Path) -> models.DiskFolder:
    problem = "" if os.access(folder, os.R_OK | os.X_OK) else "You may not look into it."
    if shown(folder) != str(folder):
        problem = "Its name is no text; rename it."
    return models.DiskFolder(name=shown(Path(folder.name or folder)), path=shown(folder), problem=problem)


def _beginnings() -> Iterator[Path]:
    """The user's videos, all that is theirs, and disks that are plugged in or connected."""
    home = Path.home()
    yield from (p for p in (Path(platformdirs.user_videos_dir()), home) if p.is_dir())
    if sys.platform == "win32":
        drives = (Path(f"{letter}:\\") for letter in string.ascii_uppercase)
        yield from (drive for drive in drives if drive.is_dir())
        return
    for place in _MOUNTED_BELOW.get(sys.platform, ()):
        for folder in _folders_in(Path(place)):
            # Most systems have a folder there for each user, with the disks in it.
            yield from _folders_in(folder) if folder.name == home.name else (folder,)


def _folders_in(place: Path) -> Iterable[Path]:
    try:
        with os.scandir(place) as opened:
            return sorted(Path(entry.path) for entry in opened if _is_folder(entry))
    except OSError:
        return ()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    """Whether the system shows it to nobody, by its name or as Windows and macOS mark it."""
    if is_passed_over(entry.name):
        return True
    try:
        about = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    on_windows = getattr(about, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN
    return bool(on_windows or getattr(about, "st_flags", 0) & stat.UF_HIDDEN)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/folders", several),
    Route("POST", "/api/v1/folders", add, errors=(404, 409)),
    Route("POST", "/api/v1/folders/forget", forget, errors=(404,)),
    Route("POST", "/api/v1/folders/look", look),
    Route("GET", "/api/v1/disk", disk, errors=(422,)),
)
