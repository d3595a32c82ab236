"""Files from the storage, sent by pieces like any other."""

from __future__ import annotations

from aiohttp import web

from mtbsync_daemon.http.files import on_disk, send_file
from mtbsync_daemon.http.routing import Call
from mtbsync_daemon.storage import open_storage
from mtbsync_daemon.store.sessions import Derivative, DerivedRow

_LINK_LASTS_S = 3600.0
_TYPES = {
    Derivative.MEZZANINE: "video/mp4",
    Derivative.PROXY: "video/mp4",
    Derivative.WAV: "audio/wav",
    Derivative.WAVEFORM: "application/octet-stream",
    Derivative.THUMBNAIL: "image/jpeg",
}


async def send_stored(call: Call, row: DerivedRow) -> web.StreamResponse:
    """What is kept under a key, or the part of it that is asked for.

    Raises:
        StorageError: it cannot be reached.
        Problem: it is not there, or has no such part.
    """
    storage = await on_disk(call.request, open_storage, call.services.library.storage())
    cache = call.services.places.artifacts / "fetched"
    path = await on_disk(call.request, storage.fetch, row.key, cache)
    headers = {"Content-Type": _TYPES[row.kind], "Cache-Control": "private, no-cache"}
    return await send_file(call.request, path, headers)


async def link_of(call: Call, row: DerivedRow) -> str | None:
    """Where anybody who is told can read what is kept under a key, for an hour; None where the storage has no
    addresses.

    Raises:
        StorageError: it cannot be reached.
    """
    storage = await on_disk(call.request, open_storage, call.services.library.storage())
    return await on_disk(call.request, storage.url, row.key, _LINK_LASTS_S)
