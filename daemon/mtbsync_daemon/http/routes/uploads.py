"""Files that are dropped onto the page: a browser tells no paths, so their bytes are sent."""

from __future__ import annotations

import re

from mtbsync_daemon.http import models
from mtbsync_daemon.http.files import receive_file
from mtbsync_daemon.http.problems import Problem
from mtbsync_daemon.http.roots import shown
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.watch.gather import is_wanted

_BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
# What no system's file names hold, and how none ends on Windows.
_BAD_NAME = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]|[. ]$')
# Windows keeps these for devices, whatever follows the first point.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE)
# File systems hold 255, and while it is received a file has a longer one.
_LONGEST_NAME = 200


async def upload(call: Call, batch: str, name: str) -> models.Upload:
    """Keep a file of footage, or what lies beside one, in mtbsync's own folder.

    Files of one `batch` come to lie in one folder, as chapters have to.
    """
    _check_batch(batch)
    _check_name(name)
    if call.request.content_length == 0:
        raise Problem(422, f"{name} is empty; copy it from the card once more.")
    path = call.services.places.footage / batch / name
    await receive_file(call.request, path)
    return models.Upload(path=shown(path))


def _check_batch(batch: str) -> None:
    if not _BATCH.fullmatch(batch) or _DEVICE.fullmatch(batch):
        raise Problem(422, "A batch is called by letters, digits and hyphens.")


def _check_name(name: str) -> None:
    try:
        n_bytes = len(name.encode())
    except UnicodeEncodeError:
        raise Problem(422, "That is no file name.") from None
    if n_bytes > _LONGEST_NAME or _BAD_NAME.search(name) or _DEVICE.fullmatch(name):
        raise Problem(422, f"{name} is no file name that every system knows; rename the file.")
    if not is_wanted(name):
        raise Problem(422, f"{name} is no video that mtbsync knows by its name, nor lies beside one.")


ROUTES: tuple[Route, ...] = (
    Route(
        "PUT",
        "/api/v1/uploads/{batch}/{name}",
        upload,
        errors=(404, 409),
        takes="application/octet-stream",
    ),
)
