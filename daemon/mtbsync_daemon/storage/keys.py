"""What things in the storage are called."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from mtbsync_daemon.storage import StorageError

_ENDINGS = {
    "audio-wav": "wav",
    "waveform": "dat",
    "thumbnail": "jpg",
    "proxy": "mp4",
    "mezzanine": "mp4",
}
# A plain word that every system takes as a name; those that begin with a dot are the storage's own.
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?"
_KEY = re.compile(rf"{_PART}(?:/{_PART})*")
_LONGEST_KEY = 500


def key_of(prefix: str, kind: str, angle: int, take: int) -> str:
    """The key of a file of this kind, which is a `Derivative`: it was made of the `take`-th recording of the
    camera number `angle`, in a session whose keys begin with `prefix`."""
    return f"{prefix}/{kind}s/angle-{angle:03d}_v{take:03d}.{_ENDINGS[kind]}"


def manifest_of(key: str) -> str:
    """The key of what is noted about the file under `key`, which `key_of` gave."""
    prefix, folder, name = key.rsplit("/", 2)
    return f"{prefix}/manifests/{PurePosixPath(name).stem}_{folder}.json"


def check_key(key: str) -> str:
    """The key, if it is one.

    Raises:
        StorageError: it would lead out of the storage, or not every storage can keep it.
    """
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key):
        raise StorageError(f"{key!r} is no key of the storage.")
    return key
