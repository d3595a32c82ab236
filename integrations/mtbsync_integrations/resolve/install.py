"""Puts mtbsync's actions into Resolve's menu, and takes them out again.

Resolve lists every .py and .lua below its Scripts folder. So the modules that the actions share lie beside
them as one .zip, which Python imports from and the menu does not show.
"""

from __future__ import annotations

import io
import os
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtbsync_engine.errors import OutputError
from mtbsync_engine.files import replacing

_LIBRARY = "mtbsync_resolve.zip"
_PLACEHOLDER = 'LIBRARY = ""'
# How files that mtbsync wrote begin.
MARKS = (b"# Written by mtbsync", b"-- Written by mtbsync")


@dataclass(frozen=True)
class Status:
    """What lies in the menu: files as they should be, files of another version, and files not there."""

    folder: Path
    current: tuple[str, ...]
    outdated: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def is_installed(self) -> bool:
        """Whether every file is there as it should be."""
        return not self.outdated and not self.missing


def script_folders(platform: str, environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Where Resolve looks for scripts on `platform` (as sys.platform): the user's own folder, then that of
    the whole machine."""
    if platform == "darwin":
        below = Path("Library", "Application Support", "Blackmagic Design", "DaVinci Resolve")
        found = [home / below, Path("/") / below]
    elif platform == "win32":
        maker = Path("Blackmagic Design", "DaVinci Resolve")
        roaming = environment.get("APPDATA") or home / "AppData" / "Roaming"
        everyone = environment.get("PROGRAMDATA") or "C:/ProgramData"
        found = [Path(roaming) / maker / "Support", Path(everyone) / maker]
    else:
        found = [home / ".local" / "share" / "DaVinciResolve", Path("/opt/resolve")]
    return tuple(folder / "Fusion" / "Scripts" for folder in found)


def find_scripts() -> Path:
    """The Scripts folder of the Resolve on this machine, which need not exist itself.

    Raises:
        OutputError: Resolve has left no folder here.
    """
    folders = script_folders(sys.platform, os.environ, Path.home())
    for folder in folders:
        if folder.parents[1].is_dir():
            return folder
    looked = " and ".join(str(folder) for folder in folders)
    raise OutputError(
        f"DaVinci Resolve has no folder for scripts here (looked for {looked}). Start Resolve once, or name "
        "its Scripts folder with --folder."
    )


def menu_folder(scripts: Path) -> Path:
    """The folder in Resolve's Scripts folder that mtbsync's files lie in; `Utility` shows on every page."""
    return scripts / "Utility" / "mtbsync"


def install(scripts: Path) -> Status:
    """Write the actions into the menu of the Resolve whose Scripts folder this is; what is current stays.

    Raises:
        OutputError: a file of the same name is not mtbsync's, or nothing can be written there.
    """
    folder = menu_folder(scripts)
    status = installed(scripts)
    wanted = _files(folder)
    changing = [*status.outdated, *status.missing]
    _write(folder, {name: wanted[name] for name in changing})
    return installed(scripts)


def add_scripts(scripts: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write scripts with embedded markers, by title, beside the actions; gives their files.

    Raises:
        OutputError: a file of the same name is not mtbsync's, or nothing can be written there.
    """
    folder = menu_folder(scripts)
    files = {f"{title}.lua": text.encode() for title, text in texts.items()}
    _write(folder, files)
    return tuple(folder / name for name in files)


def installed(scripts: Path) -> Status:
    """What of mtbsync lies in the menu. Raises OutputError where that cannot be read."""
    folder = menu_folder(scripts)
    wanted = _files(folder)
    try:
        there = {name: (folder / name).read_bytes() for name in wanted if (folder / name).exists()}
    except OSError as error:
        raise OutputError(f"{folder} cannot be read: {error.strerror or error}.") from error
    return Status(
        folder,
        current=tuple(name for name in wanted if there.get(name) == wanted[name]),
        outdated=tuple(name for name in there if there[name] != wanted[name]),
        missing=tuple(name for name in wanted if name not in there),
    )


def uninstall(scripts: Path) -> tuple[str, ...]:
    """Remove the files that mtbsync wrote, scripts with embedded markers too; gives their names.

    Nobody else's file is touched, and a folder that still holds one stays.

    Raises:
        OutputError: a file cannot be removed.
    """
    folder = menu_folder(scripts)
    if not folder.is_dir():
        return ()
    try:
        ours = sorted(path for path in folder.iterdir() if path.is_file() and _is_ours(path))
        for path in ours:
            path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise OutputError(f"{error.filename} cannot be removed: {error.strerror or error}.") from error
    return tuple(path.name for path in ours)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Nothing at all where one of the files is not mtbsync's."""
    try:
        others = [name for name in files if (folder / name).exists() and not _is_ours(folder / name)]
    except OSError as error:
        raise OutputError(f"{error.filename} cannot be read: {error.strerror or error}.") from error
    if others:
        raise OutputError(f"{folder / others[0]} is not mtbsync's; move it elsewhere, and try again.")
    for name, content in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)


def _is_ours(path: Path) -> bool:
    if path.name == _LIBRARY:
        return True
    with path.open("rb") as file:
        return file.read(max(map(len, MARKS))).startswith(MARKS)


def _files(folder: Path) -> dict[str, bytes]:
    """Every file of the menu as it should be in `folder`, by name."""
    source = _source()
    library = f"LIBRARY = {str(folder.absolute() / _LIBRARY)!a}"
    menu = {
        path.name: path.read_text(encoding="utf-8").replace(_PLACEHOLDER, library, 1).encode()
        for path in sorted((source / "menu").glob("*.py"))
    }
    return {_LIBRARY: _library(source / "mtbsync_resolve"), **menu}


def _source() -> Path:
    """`resolve_scripts`: in an installed package below this one, in a checkout at its top."""
    packaged = Path(__file__).with_name("scripts")
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "resolve_scripts"


def _library(package: Path) -> bytes:
    """The package as a .zip, the same bytes for the same content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(package.glob("*.py")):
            archive.writestr(zipfile.ZipInfo(f"{package.name}/{path.name}"), path.read_bytes())
    return buffer.getvalue()
