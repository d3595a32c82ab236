"""Files that are dropped onto the page: a browser tells no paths, so their bytes are sent."""

from __future__ import annotations

import re
from pathlib import Path

from mtbsync_daemon.http import models
from mtbsync_daemon.http.files import on_disk, receive_file
from mtbsync_daemon.http.pieces import LENGTH, OFFSET, Coming, Progress, progress_of, receive_piece
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.roots import shown
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.services import Services
from mtbsync_daemon.watch.gather import is_wanted

_BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
# What no system's file names hold, and how none ends on Windows.
_BAD_NAME = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]|[. ]$')
# Windows keeps these for devices, whatever follows the first point.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE)
# File systems hold 255, and while it is received a file has a longer one.
_LONGEST_NAME = 200
_NUMBER = re.compile(r"[0-9]{1,18}")


async def upload(call: Call, batch: str, name: str) -> models.Upload:
    """Keep a file of footage, or what lies beside one, in mtbsync's own folder.

    Files of one `batch` come to lie in one folder, as chapters have to.
    """
    path = path_of_upload(call.services, f"{batch}/{name}")
    if call.request.content_length == 0:
        raise Problem(422, f"{name} is empty; copy it from the card once more.")
    await receive_file(call.request, path)
    return models.Upload(path=shown(path))


async def upload_piece(call: Call, batch: str, name: str) -> models.UploadProgress:
    """Keep the next piece of a file of footage, which is there once its last has come.

    What has come stays over broken connections and restarts for a week; whoever goes on asks first how much
    that is.
    """
    coming = _coming(call.services, batch, name)
    offset, length = _n_bytes(call, OFFSET), _n_bytes(call, LENGTH)
    if length == 0:
        raise Problem(422, f"{name} is empty; copy it from the card once more.")
    return _document(coming, await receive_piece(call.request, coming, offset, length))


async def upload_progress(call: Call, batch: str, name: str) -> models.UploadProgress:
    """How much of a file has come that is sent piece by piece."""
    coming = _coming(call.services, batch, name)
    found = await on_disk(call.request, progress_of, coming)
    if found is None:
        raise not_found("upload")
    return _document(coming, found)


def _coming(services: Services, batch: str, name: str) -> Coming:
    return Coming(path_of_upload(services, f"{batch}/{name}"), services.places.uploads)


def _document(coming: Coming, found: Progress) -> models.UploadProgress:
    return models.UploadProgress(
        n_bytes=found.n_bytes, length=found.length, path=shown(coming.path), is_whole=found.is_whole
    )


def _n_bytes(call: Call, header: str) -> int:
    said = call.request.headers.get(header, "")
    if not _NUMBER.fullmatch(said):
        raise Problem(400, f"Say with {header} a number of bytes.")
    return int(said)


def path_of_upload(services: Services, upload: str) -> Path:
    """Where the upload BATCH/NAME comes to lie.

    Raises:
        Problem: there can be none of that name.
    """
    batch, _, name = upload.partition("/")
    _check_batch(batch)
    _check_name(name)
    return services.places.footage / batch / name


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
    Route(
        "PATCH",
        "/api/v1/uploads/{batch}/{name}",
        upload_piece,
        errors=(404, 409),
        takes="application/octet-stream",
        counts={
            OFFSET: "How many of the file's bytes come before these.",
            LENGTH: "How many bytes the file has.",
        },
    ),
    Route("GET", "/api/v1/uploads/{batch}/{name}", upload_progress, errors=(404, 422)),
)
