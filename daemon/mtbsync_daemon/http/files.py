"""Files by pieces: those that are sent, by HTTP's range requests (RFC 9110, section 14), and those that come.

aiohttp's own answer for files pays no heed to an `If-Range` with an ETag, and gives a compressed neighbour of
the same name where there is one; here one open file is all that can be read.

Whatever touches footage does so in threads of its own: a share that hangs holds those, and not the threads
that ask the library.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from email.utils import formatdate
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO, ParamSpec, TypeVar

from aiohttp import web

from mtbsync_daemon.http.problems import Problem

N_THREADS = 16
_PIECE = 2**18
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

_THREADS = web.AppKey("file_threads", ThreadPoolExecutor)
# Folders are made when the first file comes, and go when nothing came of it.
_FOLDERS = Lock()
# What requests are sending now.
_COMING: set[Path] = set()
P = ParamSpec("P")
T = TypeVar("T")


async def file_threads(app: web.Application) -> AsyncIterator[None]:
    """The threads of `on_disk`, for as long as the app runs."""
    app[_THREADS] = ThreadPoolExecutor(N_THREADS, "files")
    yield
    app[_THREADS].shutdown(wait=False)


async def on_disk(request: web.Request, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work`, which looks at files that may lie anywhere, gives."""
    do = partial(work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(request.app[_THREADS], do)


def is_there(path: Path) -> bool:
    """Whether there is such a file that can be reached now."""
    try:
        return path.is_file()
    except OSError:
        return False


async def send_file(request: web.Request, path: Path, headers: Mapping[str, str]) -> web.StreamResponse:
    """The file, or the part of it that is asked for; of several parts, the whole.

    Raises:
        Problem: it is not there, or has no such part.
    """
    try:
        file, status = await on_disk(request, _opened, path)
    except OSError as error:
        raise Problem(404, f"{path.name} cannot be read: {error.strerror}.") from error
    try:
        return await _send(request, file, status, headers)
    finally:
        # A read that hangs would have to be waited for.
        request.app[_THREADS].submit(file.close)


def _opened(path: Path) -> tuple[BinaryIO, os.stat_result]:
    file = path.open("rb")
    return file, os.fstat(file.fileno())


async def _send(
    request: web.Request, file: BinaryIO, status: os.stat_result, headers: Mapping[str, str]
) -> web.StreamResponse:
    n_bytes = status.st_size
    etag = f'"{status.st_mtime_ns:x}-{n_bytes:x}"'
    modified = formatdate(status.st_mtime, usegmt=True)
    common = {**headers, "ETag": etag, "Last-Modified": modified, "Accept-Ranges": "bytes"}
    if etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=common)
    part = None
    # A range of what was there before fits nothing of what is there now.
    if request.headers.get("If-Range", etag) in (etag, modified):
        part = _part(request.headers.get("Range", ""), n_bytes)
    first, end = part or (0, n_bytes)
    response = web.StreamResponse(status=206 if part else 200, headers=common)
    if part:
        response.headers["Content-Range"] = f"bytes {first}-{end - 1}/{n_bytes}"
    response.content_length = end - first
    await response.prepare(request)
    if request.method != "HEAD":
        await on_disk(request, file.seek, first)
        await _copy(request, file, response, end - first)
    return response


async def _copy(request: web.Request, file: BinaryIO, response: web.StreamResponse, n_bytes: int) -> None:
    while n_bytes > 0:
        try:
            piece = await on_disk(request, file.read, min(_PIECE, n_bytes))
        except OSError as error:
            raise ConnectionResetError(f"The file went away while it was sent: {error}") from error
        if not piece:
            # The answer has begun, so all that can be done is to break it off.
            raise ConnectionResetError("The file became shorter while it was sent.")
        await response.write(piece)
        n_bytes -= len(piece)


def _part(asked: str, n_bytes: int) -> tuple[int, int] | None:
    """The first byte that is asked for and the one behind the last; None where it is the whole file."""
    match = _RANGE.fullmatch(asked.strip())
    if match is None or match[0] == "bytes=-":
        return None
    if match[1] == "":
        first, end = max(0, n_bytes - int(match[2])), n_bytes
    else:
        first, end = int(match[1]), n_bytes
        if match[2]:
            if int(match[2]) < first:
                return None
            end = min(n_bytes, int(match[2]) + 1)
    if first >= end:
        raise Problem(416, "The file has no such part.", {"Content-Range": f"bytes */{n_bytes}"})
    return first, end


async def receive_file(request: web.Request, path: Path) -> None:
    """Keep what a request holds as the new file `path`; until all of it has come it has another name.

    Raises:
        Problem: there is such a file, or another request is sending it; its folder is a link; the disk is
            full.
    """
    with alone(path):
        await _receive(request, path)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let only one request at a time send the file `path`.

    Raises:
        Problem: another one does.
    """
    if path in _COMING:
        raise Problem(409, f"{path.name} is being sent already.")
    _COMING.add(path)
    try:
        yield
    finally:
        _COMING.remove(path)


async def _receive(request: web.Request, path: Path) -> None:
    n_bytes = request.content_length or 0
    try:
        file = await on_disk(request, _begun, path, n_bytes)
    except OSError as error:
        raise not_kept(path, error) from error
    try:
        async for piece in request.content.iter_any():
            await on_disk(request, file.write, piece)
        await on_disk(request, _finish, file, path, n_bytes)
    except ConnectionError as error:
        # Whoever sent it went away, as when a person stops it, and hears no answer.
        raise Problem(400, f"{path.name} did not come whole.") from error
    except OSError as error:
        raise not_kept(path, error) from error
    finally:
        # Not in a thread: this must be done however the request ends, and the disk is the daemon's own.
        _drop(file, path)


def _begun(path: Path, n_bytes: int) -> BinaryIO:
    """The file that becomes `path`; it can be made only once, so that nobody else is receiving the same."""
    check_room(path, n_bytes)
    with _FOLDERS:
        _make(path.parent)
        try:
            file = _unfinished(path).open("xb")
        except FileExistsError:
            raise Problem(409, f"{path.name} is being sent already.") from None
    if path.exists():
        _drop(file, path)
        raise Problem(409, f"There is a file {path.name} already.")
    return file


def check_room(path: Path, n_bytes: int) -> None:
    """Find out whether so much more of `path` fits on its disk.

    Raises:
        Problem: it does not.
    """
    n_free = shutil.disk_usage(_nearest(path)).free
    if n_bytes > n_free:
        raise Problem(
            507,
            f"{path.name} takes {_in_gb(n_bytes)}, the disk of mtbsync's data has {_in_gb(n_free)} left. "
            "Make room, or have the folder watched that it lies in.",
        )


def folder_made(folder: Path) -> None:
    """Make a folder where it is missing.

    Raises:
        Problem: it is a link.
    """
    with _FOLDERS:
        _make(folder)


def _make(folder: Path) -> None:
    if folder.is_symlink():
        raise Problem(409, f"{folder} is a link to elsewhere, where nothing is kept; remove it.")
    folder.mkdir(parents=True, exist_ok=True)


def _finish(file: BinaryIO, path: Path, n_bytes: int) -> None:
    if file.tell() != n_bytes:
        raise Problem(400, f"{path.name} did not come whole.")
    file.flush()
    os.fsync(file.fileno())
    # Windows moves no file that is open.
    file.close()
    _unfinished(path).replace(path)


def _drop(file: BinaryIO, path: Path) -> None:
    """Leave nothing of a file that was not finished, nor an empty folder."""
    with suppress(OSError):
        # What could not be written is tried once more, in vain.
        file.close()
    with _FOLDERS, suppress(OSError):
        _unfinished(path).unlink(missing_ok=True)
        path.parent.rmdir()


def _unfinished(path: Path) -> Path:
    # As `mtbsync_engine.files` calls them, which at the next start removes those of a daemon that was killed.
    return path.with_name(f".{path.name}.tmp")


def _nearest(path: Path) -> Path:
    return next(p for p in path.parents if p.exists())


def not_kept(path: Path, error: OSError) -> Problem:
    """The disk does not take `path`."""
    where = path.parent.parent
    return Problem(
        507,
        f"{path.name} could not be kept ({error.strerror}); see that {where} can be written and has room.",
    )


def _in_gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
