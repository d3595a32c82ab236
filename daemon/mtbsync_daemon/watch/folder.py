"""One watched folder: what a look into it finds, hands over and tells. It has no thread and no clock."""

from __future__ import annotations

import errno
import math
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import NamedTuple

from mtbsync_daemon.watch.events import FolderEvents
from mtbsync_daemon.watch.gather import Group
from mtbsync_daemon.watch.settle import Settling, Stamp
from mtbsync_daemon.watch.walk import Tree, as_text, cannot_be_read, stamps_now, walk
from mtbsync_engine.errors import MtbsyncError


@dataclass(frozen=True)
class Watched:
    """A folder to be watched, with all below it.

    A recording is handed over once its files have stood still for `settle_s`; one that a camera may have
    split into chapters, once nothing came for `late_s`. `polling` is for where events do not come, as over a
    network: the folder is looked at every few seconds instead.
    """

    path: Path
    settle_s: float = 5.0
    late_s: float = 20.0
    polling: bool = False


class Seen(NamedTuple):
    """A file, and how it was when it was seen."""

    path: Path
    stamp: Stamp


@dataclass(frozen=True)
class Found:
    """A recording that has come to rest: its chapters in order, and what lies beside them."""

    chapters: tuple[Seen, ...]
    sidecars: tuple[Seen, ...]


@dataclass(frozen=True)
class FolderState:
    """How a watched folder stands. `is_away`: it cannot be looked into now. `why` is a sentence on that, or
    on what else hinders its being watched; empty when all is well. `skipped` are sentences on files and
    folders in it that are left out."""

    is_away: bool = False
    why: str = ""
    skipped: tuple[str, ...] = ()


# The stamp that each file of the folder had when it was handed over last, by its path as text.
HandedOver = Callable[[Path], Mapping[str, Stamp]]
# Keeps what was found in the folder before it returns; raises MtbsyncError where it cannot.
HandOver = Callable[[Path, Found], None]


@dataclass(frozen=True)
class _Place:
    """What a look made of the watched folder itself or of one below it. `again_s`: in so many seconds more
    may be ready. `is_done`: there is nothing left to do as long as the listing stays the same."""

    listing: dict[str, Stamp]
    skipped: Sequence[str]
    again_s: float
    is_done: bool


class Folder:
    """A watched folder over successive looks."""

    def __init__(
        self, watched: Watched, handed_over: HandedOver, hand_over: HandOver, woken: Event, ended: Event
    ) -> None:
        """`woken` is set when something happens in the folder. Once `ended` is set, neither function is
        called any more."""
        self._watched = watched
        self._handed_over, self._hand_over = handed_over, hand_over
        self._ended = ended
        self._events = FolderEvents(woken)
        self._settling: dict[str, Settling] = {}
        self._places: dict[str, _Place] = {}
        # Which folder it was, by device and number there, that something lay in last.
        self._filled: tuple[int, int] | None = None

    def look(self, now_s: float) -> tuple[FolderState, float]:
        """Look once, at `now_s` on a clock that only ever goes forward, and hand over what is ready.

        Gives how the folder stands, and in how many seconds more may be ready (infinity: not before something
        happens). Nothing is asked or opened where all is as it was when all had been handed over.
        """
        path = self._watched.path
        try:
            status = path.stat()
            why = self._follow(status)
            tree = walk(path)
        except OSError as error:
            self._events.stop()
            return FolderState(is_away=True, why=_why_away(path, error)), math.inf
        identity = (status.st_dev, status.st_ino)
        if tree.is_bare and self._filled not in (None, identity):
            # Where a disk is mounted, an empty folder lies below it. One that was emptied is no other.
            why = f"{as_text(path)} is empty, and was not before; see whether its disk is plugged in."
            return FolderState(is_away=True, why=why), math.inf
        if not tree.is_bare:
            self._filled = identity
        self._look_into(tree, now_s)
        places = self._places.values()
        skipped = [*tree.skipped, *(sentence for place in places for sentence in place.skipped)]
        return FolderState(why=why, skipped=tuple(sorted(skipped))), min(place.again_s for place in places)

    @property
    def has_events(self) -> bool:
        """Whether what happens in the folder that is there now is told of."""
        try:
            return self._events.come_from(self._watched.path.stat())
        except OSError:
            return False

    def forget(self) -> None:
        """Compare everything with what was handed over at the next look."""
        self._places.clear()

    def close(self) -> None:
        """Have nothing told any more."""
        self._events.stop()

    def _follow(self, status: os.stat_result) -> str:
        """See to it that events come from the folder of which `status` was told; a sentence where they should
        and do not.

        Raises:
            OSError: it is no folder.
        """
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory")
        if self._watched.polling:
            return ""
        try:
            self._events.follow(self._watched.path, status)
        except OSError as error:
            return (
                f"The system does not tell of changes in {as_text(self._watched.path)} "
                f"({error.strerror or error}); they are noticed a little later."
            )
        return ""

    def _look_into(self, tree: Tree, now_s: float) -> None:
        """Hand over what is ready in each place, and forget places that are gone."""
        places, settling = self._places, self._settling
        self._places, self._settling = {}, {}
        known: Mapping[str, Stamp] | None = None
        for folder, listing in tree.listings.items():
            place = places.get(folder)
            if place is None or not place.is_done or place.listing != listing:
                if known is None:
                    known = self._known()
                settler = settling.get(folder) or Settling(self._watched.settle_s, self._watched.late_s)
                place = self._place(Path(folder), listing, settler, known, now_s)
                if not place.is_done:
                    self._settling[folder] = settler
            self._places[folder] = place

    def _place(
        self,
        folder: Path,
        listing: dict[str, Stamp],
        settling: Settling,
        known: Mapping[str, Stamp],
        now_s: float,
    ) -> _Place:
        stamps = stamps_now(folder, listing)
        handed_over = {name: known[path] for name in stamps if (path := str(folder / name)) in known}
        rest = settling.look(stamps, handed_over, now_s)
        left_out = [
            sentence for group in rest.ready for sentence in self._take(folder, group, stamps, handed_over)
        ]
        empty = [f"{as_text(folder / name)} is empty; copy it again from the card." for name in rest.empty]
        return _Place(
            listing=listing,
            skipped=[*empty, *left_out],
            again_s=rest.again_s,
            is_done=len(stamps) == len(listing) and math.isinf(rest.again_s) and not left_out,
        )

    def _take(
        self, folder: Path, group: Group, stamps: Mapping[str, Stamp], handed_over: Mapping[str, Stamp]
    ) -> list[str]:
        """Hand a group over, without sidecars that cannot be read; sentences on what is left out."""
        errors = {name: error for name in group.members if (error := _read_error(folder / name))}
        left_out = [cannot_be_read(folder / name, error) for name, error in errors.items()]
        readable = [name for name in group.members if name not in errors]
        is_new = any(handed_over.get(name) != stamps[name] for name in readable)
        if not is_new or not errors.keys().isdisjoint(group.chapters) or self._ended.is_set():
            return left_out
        chapters = tuple(Seen(folder / name, stamps[name]) for name in group.chapters)
        sidecars = tuple(Seen(folder / name, stamps[name]) for name in group.sidecars if name in readable)
        try:
            self._hand_over(self._watched.path, Found(chapters, sidecars))
        except MtbsyncError as error:
            left_out.append(str(error))
        return left_out

    def _known(self) -> Mapping[str, Stamp]:
        return {} if self._ended.is_set() else self._handed_over(self._watched.path)


def _read_error(path: Path) -> OSError | None:
    """Why a file cannot be read; on Windows also that it is still being written."""
    try:
        with path.open("rb"):
            return None
    except OSError as error:
        return error


def _why_away(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{as_text(path)} is not there; see whether its disk is plugged in."
    if isinstance(error, NotADirectoryError):
        return f"{as_text(path)} is not a folder; name a folder in the settings."
    if isinstance(error, PermissionError):
        return f"{as_text(path)} may not be read; give mtbsync leave to read it."
    return (
        f"{as_text(path)} cannot be reached ({error.strerror or error}); see whether its disk is plugged in."
    )
