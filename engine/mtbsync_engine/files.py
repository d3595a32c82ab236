"""Results on disk: never over a recording, never half, and nothing at all when it does not work out."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mtbsync_engine.errors import OutputError

# mtbsync writes none of these, so a name that ends in one is a mistake that could cost a ride.
_VIDEO = {".mp4", ".mov", ".m4v", ".mkv", ".avi", ".mts", ".m2ts", ".ts", ".webm", ".360", ".insv"}
_UNFINISHED = ".mtbsync-"
_RECORDED = _VIDEO | {".lrv", ".lrf", ".gpx", ".fit"}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a temporary path beside `path`; move it there when the block ends well, else remove it.

    Readers see the old file or the new one, never something between, whatever kills the writer. Folders
    that are missing are made, and removed again where the block fails.

    Raises:
        OutputError: `path` is a folder or a device, or named like a recording; its folder cannot be made or
            written; the disk is full.
    """
    try:
        _check_name(path)
    except OSError as error:
        raise _not_written(path, error) from error
    with _replacing(path) as temporary:
        yield temporary


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    try:
        with _folder(path.parent):
            handle, name = tempfile.mkstemp(
                prefix=f".{path.stem}.", suffix=f".tmp{path.suffix}", dir=path.parent
            )
            os.close(handle)
            temporary = Path(name)
            try:
                yield temporary
                _keep(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error


@contextmanager
def replacing_all(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Hand out a temporary folder for files called `names`; when the block ends well, they are the result.

    Then `folder` holds those that the block wrote, and none of the others of that name from before. The
    last of the `names` is taken away first and put there last, so that its presence says that all are
    there. When the block fails, `folder` is as it was.

    Raises:
        OutputError: as `replacing`.
    """
    try:
        with (
            _folder(folder),
            tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as beside,
        ):
            temporary = Path(beside)
            try:
                yield temporary
            except OutputError as error:
                # Its name for the file means nothing to a person.
                raise OutputError(str(error).replace(str(temporary), str(folder))) from error
            for name in reversed(names):
                (folder / name).unlink(missing_ok=True)
            for name in names:
                if (temporary / name).exists():
                    (temporary / name).replace(folder / name)
    except OSError as error:
        raise _not_written(folder, error) from error


def remove_unfinished(path: Path) -> None:
    """Remove what `replacing(path)` left when it was killed: for whoever knows that nobody else is writing it
    now."""
    with suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.stem)}.*.tmp{glob.escape(path.suffix)}"):
            left.unlink(missing_ok=True)


def remove_all_unfinished(folder: Path) -> None:
    """Remove what killed writers left anywhere below `folder`, which is mtbsync's own, and which nobody is
    writing to now."""
    with suppress(OSError):
        for left in [*folder.rglob(f"{_UNFINISHED}*")]:
            shutil.rmtree(left, ignore_errors=True)
        for left in [*folder.rglob(".*.tmp*")]:
            left.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, line ends as they are, atomically.

    File names may hold bytes that are no text; of those the number is written.

    Raises:
        OutputError: as `replacing`.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def write_new_track(path: Path, text: str) -> None:
    """Write `text` as a GPX file where there is none yet: what a device recorded is never written over.

    Raises:
        OutputError: as `check_new_track`, or as `replacing`.
    """
    check_new_track(path)
    with _replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def check_new_track(path: Path) -> None:
    """Find out whether `write_new_track` can write `path`.

    Raises:
        OutputError: `path` does not end in .gpx, is there already, or its folder cannot be made or written.
    """
    if path.suffix.lower() != ".gpx":
        raise OutputError(f"{path} does not end in .gpx, as a track does; choose another name with --gpx.")
    if path.exists():
        raise OutputError(f"{path} is there already, and may be a ride; choose another name with --gpx.")
    try:
        _check_folder(path)
    except OSError as error:
        raise _no_place(path, error, "--gpx") from error


def check_output(path: Path, inputs: Iterable[Path | None] = ()) -> None:
    """Find out before long work whether the file `path` can be written, in a folder that need not exist yet.

    Raises:
        OutputError: as `replacing`, or it is one of the `inputs`.
    """
    try:
        _check_name(path)
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file in it with --out.")
        if path.exists() and any(i.exists() and i.samefile(path) for i in inputs if i is not None):
            raise OutputError(f"{path} is one of the files that are read; choose another name with --out.")
        _check_folder(path)
    except OSError as error:
        raise _no_place(path, error, "--out") from error


def _check_folder(path: Path) -> None:
    # Not even the root exists where a drive is missing.
    parents = path.absolute().parents
    there = next((p for p in parents if p.exists()), parents[-1])
    if there.is_file():
        raise OutputError(f"Nothing can be written to {path.parent}: {there} is a file, not a folder.")
    # Permissions alone do not tell: a disk may be mounted for reading only.
    with tempfile.TemporaryFile(dir=there):
        pass


def _no_place(path: Path, error: OSError, option: str) -> OutputError:
    reason = error.strerror or error
    return OutputError(
        f"Nothing can be written to {path.parent} ({reason}); choose another place with {option}."
    )


def _check_name(path: Path) -> None:
    if path.suffix.lower() in _RECORDED:
        raise OutputError(
            f"{path} is named like a recording, which mtbsync never writes; choose another name with --out."
        )
    # Whoever may do so would replace the device itself.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OutputError(f"{path} is a device or a pipe; name a file with --out.")


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make `folder` for the block; remove again what was made when the block fails."""
    made = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in made:
            # Not empty when somebody else has put something there by now.
            with suppress(OSError):
                path.rmdir()
        raise


def _keep(temporary: Path, path: Path) -> None:
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    # mkstemp makes files that only their owner can read; a result is an ordinary file.
    temporary.chmod(0o666 & ~_umask())
    temporary.replace(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _not_written(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path} could not be written: {error.strerror or error}.")
