"""What is made of a camera's footage and kept in the storage, so that nothing is made twice.

The parameters of the tasks that do so are `storage`, as `storage.open_storage` takes it, `recording` as in
`tasks.footage`, and `prefix`, `angle` and `take`, as `storage.keys.key_of` takes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.storage import Storage, StorageAwayError, StorageError, open_storage
from mtbsync_daemon.storage.keys import key_of, manifest_of
from mtbsync_daemon.store.ids import now
from mtbsync_engine.errors import OutputError
from mtbsync_engine.model import Recording

# A part of each manifest; what an older way of making things made is made anew.
_VERSION = 1
_NOTED = ("n_bytes", "sha256", "made_at")

# Writes a file, and tells how much of it is done.
Make = Callable[[Path, Callable[[float], None]], None]


class Shelf:
    """The place of one camera's derivatives in the storage.

    Beside them lies a manifest for each: which recording it was made of, its size and its SHA-256. It is put
    there before the file comes, so that what is on the shelf is right exactly where it agrees with its
    manifest, whenever whoever puts things there is killed, and whatever another puts there at the same time.
    """

    def __init__(self, params: Mapping[str, Any], fingerprint: str, scratch: Path, work: Work) -> None:
        self._storage: Storage = open_storage(params["storage"])
        self._place = params["prefix"], params["angle"], params["take"]
        self._fingerprint = fingerprint
        self._scratch = scratch
        self._work = work
        # What the task tells of all that was made or found.
        self.derived: list[dict[str, Any]] = []

    def have(self, kind: str, words: str, total_s: float | None, make: Make) -> Path:
        """A file with the derivative of that kind, not to be changed: what is on the shelf if it is whole, or
        else what `make` now makes, in a stage called `words`, and what is put there.

        Raises:
            MtbsyncError: it cannot be made, or the storage cannot be reached.
        """
        key = self._key(kind)
        noted = self._noted(key)
        path = None if noted is None else self._whole(key, noted)
        if noted is None or path is None:
            path = self._scratch / kind / PurePosixPath(key).name
            path.parent.mkdir(exist_ok=True)
            with self._work.stage(words, total_s) as done:
                make(path, done)
            n_bytes = path.stat().st_size
            # What goes over a slow line is told as it goes, so that nobody takes it for stuck.
            with self._work.stage("Storing it", n_bytes) as done:
                noted = {"n_bytes": n_bytes, "sha256": sha256_of(path), "made_at": now()}
                self._note(key, noted)
                self._storage.put(key, path, noted["sha256"], done)
        self.derived.append({"kind": kind, "key": key, **noted})
        return path

    def lack(self, kind: str) -> None:
        """There is no such derivative of this recording, so none of another's is to be found either."""
        key = self._key(kind)
        self._storage.remove(key)
        self._storage.remove(manifest_of(key))

    def _key(self, kind: str) -> str:
        prefix, angle, take = self._place
        return key_of(prefix, kind, angle, take)

    def _whole(self, key: str, noted: Mapping[str, Any]) -> Path | None:
        stored = self._storage.stat(key)
        if stored is None or stored.n_bytes != noted["n_bytes"]:
            return None
        try:
            path = self._storage.fetch(key, self._scratch)
        except StorageAwayError:
            raise
        except StorageError:
            # It was seen a moment ago, so what comes of it is damaged.
            return None
        return path if sha256_of(path) == noted["sha256"] else None

    def _noted(self, key: str) -> dict[str, Any] | None:
        """What is noted about the file under `key`, if that was made of this recording."""
        name = manifest_of(key)
        if self._storage.stat(name) is None:
            return None
        try:
            manifest = json.loads(self._storage.fetch(name, self._scratch).read_text(encoding="utf-8"))
            is_ours = manifest["version"] == _VERSION and manifest["fingerprint"] == self._fingerprint
            return {what: manifest[what] for what in _NOTED} if is_ours else None
        except StorageAwayError:
            raise
        except (StorageError, KeyError, TypeError, ValueError):
            # Without a manifest it is made again.
            return None

    def _note(self, key: str, noted: Mapping[str, Any]) -> None:
        name = manifest_of(key)
        path = self._scratch / PurePosixPath(name).name
        manifest = {"version": _VERSION, "fingerprint": self._fingerprint, **noted}
        path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        self._storage.put(name, path, sha256_of(path))


@contextmanager
def shelf_of(params: Mapping[str, Any], recording: Recording, work: Work) -> Iterator[Shelf]:
    """The shelf of the camera that `params` are about, for the length of the block; the files that it hands
    out go with it.

    Raises:
        StorageError: the storage cannot be opened.
        OutputError: there is no room for what is being made.
    """
    # Beside what is kept on this computer, where there is room, and where a daemon that was killed with its
    # tasks clears away what they have left as it starts.
    folder = Path(params["storage"]["default"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".mtbsync-", dir=folder) as scratch:
            work.clears(Path(scratch))
            yield Shelf(params, recording.fingerprint, Path(scratch), work)
    except OSError as error:
        raise OutputError(f"{folder} could not be written: {error.strerror or error}.") from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
