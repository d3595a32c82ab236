"""Which files of this computer may be touched: those below the folders that the settings name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtbsync_daemon.http.problems import Problem
from mtbsync_daemon.store.ids import as_text


def real_roots(roots: Iterable[Path]) -> tuple[Path, ...]:
    """Where folders that the settings name really are, for `check_within`."""
    return tuple(_real(root) for root in roots)


def check_within(path: Path, roots: Iterable[Path]) -> Path:
    """Where `path` really is, all links followed; it need not be there. `roots` are those of `real_roots`.

    Raises:
        Problem: that is below none of `roots`.
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError):
        # Links in a circle, a drive that is gone.
        raise _outside(path) from None
    if not (path.is_absolute() and any(real.is_relative_to(root) for root in roots)):
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
        403,
        f"{shown(path)} lies outside the folders that mtbsync may read: those that are watched, and "
        "those that `roots` in the settings names.",
    )
