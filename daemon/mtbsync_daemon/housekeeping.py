"""Once a day, what is of no more use goes, from the disk and from the library."""

from __future__ import annotations

import logging

from mtbsync_daemon.config import Config
from mtbsync_daemon.places import Places
from mtbsync_daemon.prune import prune
from mtbsync_daemon.prune_media import prune_media
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.housekeeping import forget_old
from mtbsync_daemon.store.ids import now

_DAY_S = 86400.0

_log = logging.getLogger(__name__)


def keep_house(places: Places, store: Store, config: Config) -> None:
    """Do it where the last time was a day ago. That outlasts the daemon, which may run for an hour at a time.

    Raises:
        OutputError: the library cannot be written.
    """
    at = now()
    if not _is_due(places, at):
        return
    store.write(forget_old, at - config.keep.days * _DAY_S)
    prune(places, store, config.keep)
    if problem := prune_media(places, store, config).problem:
        _log.warning("Not all could be removed from the storage: %s", problem)
    places.housekeeping.touch()


def _is_due(places: Places, at: float) -> bool:
    try:
        last = places.housekeeping.stat().st_mtime
    except FileNotFoundError:
        return True
    # A last time that is still to come was noted before the clock was put right.
    return not 0 <= at - last < _DAY_S
