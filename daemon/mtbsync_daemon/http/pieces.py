"""Files that come piece by piece, over broken connections and restarts of the daemon.

Each has a folder of its own until it is whole, with what has come of it, and a note of how much of that is
sure to be on disk: what lies behind that, as after a loss of power, does not count, and is sent once more.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

from mtbsync_daemon.http.files import alone, check_room, folder_made, not_kept, on_disk
from mtbsync_daemon.http.problems import Problem
from mtbsync_engine.files import write_text

# Whoever sends nothing for so long has gone, and comes back with another connection.
SILENCE_S = 60.0
OFFSET, LENGTH = "Upload-Offset", "Upload-Length"


@dataclass(frozen=True)
class Progress:
    """How much of a file has come, of how much, in bytes."""

    n_bytes: int
    length: int
    is_whole: bool = False


@dataclass(frozen=True)
class Coming:
    """A file on its way: what it is to become, and the folder with all of those that are not whole."""

    path: Path
    uploads: Path

    @property
    def folder(self) -> Path:
        """Where it lies until it is whole."""
        name = f"{self.path.parent.name}/{self.path.name}"
        return self.uploads / sha256(name.encode()).hexdigest()[:32]

    @property
    def content(self) -> Path:
        """What has come."""
        return self.folder / "content"

    @property
    def note(self) -> Path:
        """How much of it counts."""
        return self.folder / "note.json"


def progress_of(coming: Coming) -> Progress | None:
    """How much there is; None where nothing is, or nothing that can be relied on."""
    if coming.path.is_file():
        n_bytes = coming.path.stat().st_size
        return Progress(n_bytes, n_bytes, is_whole=True)
    try:
        told = json.loads(coming.note.read_text("utf-8"))
        n_there = coming.content.stat().st_size
    except (FileNotFoundError, ValueError):
        return None
    match told:
        case {"n_bytes": int(n_bytes), "length": int(length)} if 0 <= n_bytes <= length:
            return Progress(min(n_bytes, n_there), length)
        case _:
            # Damaged: nobody knows how much of it counts.
            return None


async def receive_piece(request: web.Request, coming: Coming, offset: int, length: int) -> Progress:
    """Keep what a request holds as the part from byte `offset` on of a file of `length` bytes; with the last
    of it, the file is there.

    Raises:
        Problem: the part is not the next one, or does not fit in; another request is sending the file; there
            is such a file; its folder is a link; the disk is full; not all of it came, but what did counts.
    """
    path, n_bytes = coming.path, request.content_length or 0
    if offset + n_bytes > length:
        raise Problem(422, f"That is more of {path.name} than the {length} bytes that it is said to have.")
    with alone(path):
        try:
            file = await on_disk(request, _opened, coming, offset, length)
            try:
                await _write(request, file)
                found = await on_disk(request, _noted, coming, file, length)
            finally:
                # Not in a thread: this must be done however the request ends.
                with suppress(OSError):
                    file.close()
            if found.n_bytes == length:
                await on_disk(request, _finish, coming)
                return Progress(length, length, is_whole=True)
        except OSError as error:
            raise not_kept(path, error) from error
    if found.n_bytes < offset + n_bytes:
        raise Problem(400, f"That part of {path.name} did not come whole.")
    return found


def _opened(coming: Coming, offset: int, length: int) -> BinaryIO:
    """What has come, ready for what comes next."""
    path, known = coming.path, progress_of(coming)
    if known is not None and known.is_whole:
        raise Problem(409, f"There is a file {path.name} already.", {OFFSET: str(known.n_bytes)})
    if known is not None and known.length != length:
        raise Problem(
            409,
            f"{path.name} was begun with {known.length} bytes; send another file by another name.",
            {OFFSET: str(known.n_bytes)},
        )
    n_there = 0 if known is None else known.n_bytes
    if offset != n_there:
        there = {OFFSET: str(n_there)}
        raise Problem(409, f"{n_there} bytes of {path.name} are there; go on behind them.", there)
    check_room(path, length - offset)
    folder_made(coming.uploads)
    coming.folder.mkdir(parents=True, exist_ok=True)
    if known is None:
        coming.content.write_bytes(b"")
    file = coming.content.open("r+b")
    file.truncate(offset)
    file.seek(offset)
    return file


async def _write(request: web.Request, file: BinaryIO) -> None:
    """Write what comes, which may end before its time."""
    with suppress(ConnectionError, TimeoutError):
        while piece := await _next(request):
            await on_disk(request, file.write, piece)


async def _next(request: web.Request) -> bytes:
    async with asyncio.timeout(SILENCE_S):
        return await request.content.readany()


def _noted(coming: Coming, file: BinaryIO, length: int) -> Progress:
    file.flush()
    os.fsync(file.fileno())
    found = Progress(file.tell(), length)
    told = {"n_bytes": found.n_bytes, "length": length}
    write_text(coming.note, json.dumps(told))
    return found


def _finish(coming: Coming) -> None:
    folder_made(coming.path.parent)
    if coming.path.exists():
        raise Problem(409, f"There is a file {coming.path.name} already.")
    coming.content.replace(coming.path)
    shutil.rmtree(coming.folder, ignore_errors=True)
