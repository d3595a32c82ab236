"""What the daemon has made and needs no more: which of it goes, and its going.

Only files of mtbsync's own making in its data folder are looked at: what can be made again, logs, copies of
the library, and what was dropped onto the page and never came whole. It is safe while jobs run: what was
written within the last hour stays, as does whatever a job that has not ended may use, which is looked up once
more just before a thing goes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from pathlib import Path

from mtbsync_daemon.config import Keep
from mtbsync_daemon.places import Places
from mtbsync_daemon.results import PERF
from mtbsync_daemon.store.ids import now
from mtbsync_daemon.store.reader import Reads
from mtbsync_daemon.store.uses import Uses, uses

KEPT_BACKUPS = 3
_FRESH_S = 3600.0
_DAY_S = 86400.0
_ABANDONED_S = 7 * _DAY_S
_GB = 1e9
_LOG = re.compile(r"[0-9a-f]{16}\.log")
_BACKUP = re.compile(r"library-v\d+-(\d+)\.sqlite")


class Standing(Enum):
    """Whether a thing is in use, could save work some day, or is of no use to anybody."""

    USED = "used"
    SPARE = "spare"
    LEFT_OVER = "left over"


@dataclass(frozen=True)
class Item:
    """A file, or a folder that goes as a whole; `changed_at` is when the newest of it was written. `owner` is
    the job that made it, or the recording that it was seen in."""

    path: Path
    n_bytes: int
    changed_at: float
    standing: Standing
    owner: str = ""


@dataclass(frozen=True)
class Pruned:
    """What went, or would go, and what could not; `n_bytes_over` is by how much the artifacts that are in use
    are more than is to be kept. `problem` says what keeps stored things from going."""

    gone: tuple[Item, ...] = ()
    stuck: tuple[Item, ...] = ()
    n_bytes_over: int = 0
    problem: str = ""

    @property
    def n_bytes(self) -> int:
        """What that frees."""
        return sum(item.n_bytes for item in self.gone)


# --- the rules -------------------------------------------------------------------------------------


def artifacts_to_go(items: Iterable[Item], keep: Keep, at: float) -> list[Item]:
    """Of the artifacts, what is left over, what was spare for too long, and then, oldest first, as much of
    the spare as makes all of them fit. What was written within the last hour stays, and so does what is from
    the future: where a clock was put back, nobody knows how old a thing is."""
    listed = sorted(items, key=lambda item: item.changed_at)
    n_bytes_left = sum(item.n_bytes for item in listed)
    chosen = []
    for item in listed:
        age_s = at - item.changed_at
        if item.standing is Standing.USED or age_s < _FRESH_S:
            continue
        is_over = n_bytes_left > keep.artifacts_gb * _GB
        if item.standing is Standing.LEFT_OVER or age_s > keep.days * _DAY_S or is_over:
            chosen.append(item)
            n_bytes_left -= item.n_bytes
    return chosen


def logs_to_go(items: Iterable[Item], keep: Keep, at: float) -> list[Item]:
    """The logs of jobs that ended longer ago than is to be kept."""
    return [
        item
        for item in items
        if item.standing is not Standing.USED and at - item.changed_at > keep.days * _DAY_S
    ]


def uploads_to_go(items: Iterable[Item], at: float) -> list[Item]:
    """What has not come whole, and of which nothing came for a week."""
    return [item for item in items if at - item.changed_at > _ABANDONED_S]


def beyond_newest(items: Iterable[Item], n_kept: int) -> list[Item]:
    """All that are not in use but for the newest, oldest first."""
    listed = sorted(
        (item for item in items if item.standing is not Standing.USED), key=lambda item: item.changed_at
    )
    return listed[: max(0, len(listed) - n_kept)]


# --- what there is -----------------------------------------------------------------------------------


def list_artifacts(artifacts: Path, used: Uses) -> list[Item]:
    """Every index, the looks that were taken from it, every folder of a sync's results, what the page shows
    and gives, and what was fetched from the storage."""
    seen = (_seen(artifacts / what, used) for what in ("indexes", "looks"))
    shown = (_shown(artifacts / what, used) for what in ("light", "stills", "zips"))
    fetched = (_item(path, Standing.SPARE) for path in _entries(artifacts / "fetched"))
    return [*chain.from_iterable(seen), *_results(artifacts, used), *chain.from_iterable(shown), *fetched]


def _shown(folder: Path, used: Uses) -> Iterator[Item]:
    """What a person saw of recordings: their light copies, stills and archives, called RECORDING."""
    for path in _entries(folder):
        recording_id = path.name.removeprefix(".").partition(".")[0]
        if recording_id in used.active_recordings:
            standing = Standing.USED
        else:
            standing = Standing.SPARE if recording_id in used.recordings else Standing.LEFT_OVER
        yield _item(path, standing, recording_id)


def _seen(folder: Path, used: Uses) -> Iterator[Item]:
    """What was seen in videos is called FINGERPRINT-HOW.npz; of a reference's the newest is made as it is
    made now."""
    paths = _entries(folder)
    newest: dict[str, Path] = {}
    for path in sorted(paths, key=_changed_at):
        if not path.name.startswith("."):
            newest[_fingerprint(path)] = path
    for path in paths:
        fingerprint = _fingerprint(path)
        if fingerprint in used.active_recordings:
            standing = Standing.USED
        elif path.name.startswith(".") or fingerprint not in used.recordings:
            standing = Standing.LEFT_OVER
        elif fingerprint in used.references:
            standing = Standing.USED if newest[fingerprint] == path else Standing.LEFT_OVER
        else:
            standing = Standing.SPARE
        yield _item(path, standing, fingerprint)


def _fingerprint(path: Path) -> str:
    # What was not finished has a dot before its name.
    return path.name.removeprefix(".").partition("-")[0]


def _results(artifacts: Path, used: Uses) -> Iterator[Item]:
    """Results lie in syncs/JOB/TRAIL."""
    for job in _entries(artifacts / "syncs"):
        for path in _entries(job):
            if job.name in used.active_jobs or f"syncs/{job.name}/{path.name}" in used.results:
                standing = Standing.USED
            else:
                standing = Standing.SPARE if job.name in used.syncs else Standing.LEFT_OVER
            yield _item(path, standing, job.name)


def list_logs(logs: Path, used: Uses) -> list[Item]:
    """Every job's log."""
    return [
        _item(path, Standing.USED if path.stem in used.active_jobs else Standing.SPARE, path.stem)
        for path in _entries(logs)
        if _LOG.fullmatch(path.name)
    ]


def list_backups(backups: Path) -> list[Item]:
    """Every copy of the library, as old as its name says."""
    found = []
    for path in _entries(backups):
        if match := _BACKUP.fullmatch(path.name):
            found.append(Item(path, _n_bytes(path), int(match[1]) / 1e9, Standing.SPARE))
    return found


def list_uploads(uploads: Path) -> list[Item]:
    """Every file that has not come whole yet."""
    return [_item(path, Standing.LEFT_OVER) for path in _entries(uploads)]


def list_perf(artifacts: Path, used: Uses) -> list[Item]:
    """Every sync's perf.json; nothing but people needs it."""
    return [
        _item(perf, Standing.USED if job.name in used.active_jobs else Standing.SPARE, job.name)
        for job in _entries(artifacts / "syncs")
        for trail in _entries(job)
        if (perf := trail / PERF).is_file()
    ]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _item(path: Path, standing: Standing, owner: str = "") -> Item:
    n_bytes, changed_at = 0, _changed_at(path)
    for folder, _, names in os.walk(path):
        for file in (Path(folder, name) for name in names):
            n_bytes += _n_bytes(file)
            changed_at = max(changed_at, _changed_at(file))
    return Item(path, n_bytes or _n_bytes(path), changed_at, standing, owner)


def _n_bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _changed_at(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        # Gone while this looked, or not ours to see: as good as written now.
        return now()


# --- doing it ----------------------------------------------------------------------------------------


def prune(places: Places, store: Reads, keep: Keep, *, dry_run: bool = False) -> Pruned:
    """Remove what is needed no more: artifacts, logs, all but the newest copies of the library, and what was
    begun to be sent and given up."""
    used, at = store.read(uses), now()
    artifacts = list_artifacts(places.artifacts, used)
    chosen = [
        *artifacts_to_go(artifacts, keep, at),
        *logs_to_go(list_logs(places.logs, used), keep, at),
        *beyond_newest(list_backups(places.backups), KEPT_BACKUPS),
        *uploads_to_go(list_uploads(places.uploads), at),
    ]
    done = _removed(chosen, store, dry_run)
    n_bytes_gone = sum(item.n_bytes for item in done.gone if item in artifacts)
    n_bytes_left = sum(item.n_bytes for item in artifacts) - n_bytes_gone
    return Pruned(done.gone, done.stuck, max(0, n_bytes_left - int(keep.artifacts_gb * _GB)))


def prune_perf(places: Places, store: Reads, n_kept: int, *, dry_run: bool = False) -> Pruned:
    """Remove all but the newest records of how long things took: each sync's perf.json, and jobs' logs."""
    used = store.read(uses)
    chosen = [
        *beyond_newest(list_perf(places.artifacts, used), n_kept),
        *beyond_newest(list_logs(places.logs, used), n_kept),
    ]
    return _removed(chosen, store, dry_run)


def _removed(chosen: Sequence[Item], store: Reads, dry_run: bool) -> Pruned:
    if dry_run:
        return Pruned(tuple(chosen))
    gone, stuck = [], []
    for item in chosen:
        if _is_needed_by_now(item, store.read(uses)):
            continue
        try:
            _remove(item.path)
            gone.append(item)
        except OSError:
            # Somebody has it open; the next time will do.
            stuck.append(item)
    return Pruned(tuple(gone), tuple(stuck))


def _is_needed_by_now(item: Item, used: Uses) -> bool:
    """Whether a job has come to need it since it was chosen."""
    is_reference = item.standing is Standing.SPARE and item.owner in used.references
    return is_reference or item.owner in used.active_jobs | used.active_recordings


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        # A job's folder goes with the last of its results.
        with suppress(OSError):
            path.parent.rmdir()
    else:
        path.unlink(missing_ok=True)
