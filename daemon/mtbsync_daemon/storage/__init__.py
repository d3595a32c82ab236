"""Where what is made of sessions' footage is kept: one small interface, whatever keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mtbsync_engine.errors import InputError

# What all keys begin with, and none is.
TOP = "projects"


class StorageError(InputError):
    """What is kept cannot be reached, or there is no such key."""


class StorageAwayError(StorageError):
    """The storage is not there now, as when a drive was unplugged; the library waits for it."""


@dataclass(frozen=True)
class Stored:
    """What is kept under a key: its size, and the SHA-256 of its content (64 hexadecimal digits) as it was
    noted when it came, empty where nobody noted any."""

    n_bytes: int
    sha256: str


class Storage(Protocol):
    """Keeps whole files under keys such as projects/alps/20260704-1a2b3c/proxys/angle-001_v001.mp4: of
    two that are
    put under one key the later stays, and nobody ever sees half of one."""

    def put(self, key: str, source: Path, sha256: str, on_bytes: Callable[[int], None] = ...) -> None:
        """Keep the content of `source`, which stays where it is; `on_bytes` is told how much of it is kept so
        far, from any thread.

        Raises:
            StorageError: the storage is not there.
            OutputError: it cannot be kept.
        """

    def stat(self, key: str) -> Stored | None:
        """What is kept under `key`; None where nothing is.

        Raises:
            StorageError: nobody can tell now.
        """

    def fetch(self, key: str, cache: Path) -> Path:
        """A file on this computer with what is kept under `key`, not to be changed: the kept one itself, or a
        copy below the folder `cache`.

        Raises:
            StorageError: it is not there, or cannot be reached.
            OutputError: the copy cannot be written.
        """

    def remove(self, key: str) -> None:
        """Keep nothing under `key` any more; where nothing was, that is well.

        Raises:
            StorageError: it cannot be removed.
        """

    def url(self, key: str, lasts_s: float) -> str | None:
        """An address at which anybody who is told can read it for so long; None where there is no such.

        Raises:
            StorageError: none can be made.
        """


def open_storage(params: Mapping[str, Any]) -> Storage:
    """The storage that the settings' `[storage]` names, or else the folder `default`. `params` are as
    `Library.storage` gives them.

    Raises:
        StorageAwayError: the folder that they name is not there, or does not answer.
        StorageError: that may not be looked into, or they need a library that is not installed.
    """
    if params["bucket"] is not None:
        from mtbsync_daemon.storage.s3 import open_bucket

        return open_bucket(params)
    from mtbsync_daemon.storage.local import FolderStorage, open_folder

    folder, default = params["folder"], Path(params["default"])
    return FolderStorage(default) if folder is None else open_folder(Path(folder), notes=default)


def reach(params: Mapping[str, Any]) -> Storage:
    """The same, once it has answered.

    Raises:
        StorageError: it cannot be reached now.
    """
    storage = open_storage(params)
    storage.stat(TOP)
    return storage
