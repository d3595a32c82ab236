"""Which files of this computer may be touched: those below the folders that the settings name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtbsync_daemon.http.problems import Problem
from mtbsync_daemon.store.ids import as_text


def check_within(path: Path, roots: Iterable[Path]) -> Path:
    """Where `path` really is, all links followed; it need not be there.

    Raises:
        Problem: that is below none of `roots`.
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError):
        # Links in a circle, a drive that is gone.
        raise _outside(path) from None
    if not (path.is_absolute() and any(real.is_relative_to(_real(root)) for root in roots)):
        raise _outside(path)
    return real


def shown(path: Path) -> str:
    """A path as JSON can hold it: what is no text in it is replaced."""
    return as_text(str(path))


def _real(root: Path) -> Path:
    try:
        return root.resolve()
    except (OSError, RuntimeError):
        return root


def _outside(path: Path) -> Problem:
    return Problem(
        403, f"{shown(path)} lies outside the folders that mtbsync may read; the settings name them."
    )
