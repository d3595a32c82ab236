"""What is removed from the storage: what outlived its time, what is nobody's any more, and what killed
writers have left.

It is safe while jobs run: nothing of a session goes for which something is done, or will be. First the
library forgets a file, which then is `disowned` until the storage has removed it, so that whatever dies in
between leaves neither a file that nobody knows of nor a name for one that is gone.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from mtbsync_daemon.config import Config
from mtbsync_daemon.library import Library
from mtbsync_daemon.places import Places
from mtbsync_daemon.prune import Item, Pruned, Standing
from mtbsync_daemon.storage import StorageError, open_storage, reach
from mtbsync_daemon.storage.keys import manifest_of
from mtbsync_daemon.storage.lifecycle import outlived
from mtbsync_daemon.storage.local import open_folder
from mtbsync_daemon.store import sessions
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.ids import now
from mtbsync_daemon.store.reader import Reads
from mtbsync_daemon.store.sessions import DerivedRow, DisownedRow

# A storage that cannot be reached costs time for each thing.
_MOST_STUCK = 3
# What was written to since may still be under way, from another computer too.
_UNDER_WAY_S = 86400.0


def media_to_go(places: Places, store: Reads, config: Config) -> Pruned:
    """What `prune_media` would remove now, or what keeps it from that."""
    busy = store.read(sessions.busy)
    old = (_old_item(row) for row in _outlived(store, config) if row.session_id not in busy)
    chosen = (*old, *(_item(row) for row in store.read(sessions.disowned)))
    if chosen and (problem := _why_not(places, config)):
        return Pruned(stuck=chosen, problem=problem)
    return Pruned(chosen)


def prune_media(places: Places, store: Store, config: Config) -> Pruned:
    """Remove it, from the library and from the storage; what cannot be removed now is tried the next time.
    While the storage is away, the library forgets nothing either."""
    old = _outlived(store, config)
    if old and (problem := _why_not(places, config)):
        return Pruned(stuck=tuple(_old_item(row) for row in old), problem=problem)
    for derived in old:
        store.write(_forget_unless_busy, derived)
    gone: list[Item] = []
    stuck: list[Item] = []
    problem = ""
    for row in store.read(sessions.disowned):
        if len(stuck) == _MOST_STUCK:
            break
        # A job may have come to make it anew since it was listed.
        if not store.read(sessions.disowned, row.key):
            continue
        try:
            storage = open_storage(Library(places, lambda: config).storage())
            storage.remove(row.key)
            storage.remove(manifest_of(row.key))
        except StorageError as error:
            problem = str(error)
            stuck.append(_item(row))
            continue
        store.write(sessions.forget_disowned, row)
        gone.append(_item(row))
    _clear(places, config)
    return Pruned(tuple(gone), tuple(stuck), problem=problem)


def _clear(places: Places, config: Config) -> None:
    """Remove what killed writers have left in the settings' folder; in the data folder that is done at each
    start."""
    if config.storage.folder is not None:
        # Where it is away, the next time will do.
        with suppress(StorageError):
            open_folder(config.storage.folder, places.media).clear(now() - _UNDER_WAY_S)


def _why_not(places: Places, config: Config) -> str:
    """Why nothing can be removed from the storage now; empty where it can be reached."""
    try:
        reach(Library(places, lambda: config).storage())
    except StorageError as error:
        return str(error)
    return ""


def _outlived(store: Reads, config: Config) -> list[DerivedRow]:
    return outlived(store.read(sessions.all_derived), config.storage, now())


def _forget_unless_busy(db: sqlite3.Connection, row: DerivedRow) -> None:
    if row.session_id not in sessions.busy(db):
        sessions.forget_derived(db, row)


def _old_item(row: DerivedRow) -> Item:
    return Item(Path(row.key), row.n_bytes, row.made_at, Standing.SPARE, row.session_id)


def _item(row: DisownedRow) -> Item:
    return Item(Path(row.key), row.n_bytes, row.at, Standing.LEFT_OVER, row.session_id)
