"""How long what is made of sessions' footage is kept.

Sounds and waveforms go after `wav_days`, mezzanines after `mezzanine_days`: they are large, are needed while
a session is lined up and edited, and can be made again from the footage. Proxies and thumbnails stay, so that
an old session can still be looked at. Originals are not in the storage, and nothing here ever names one.
"""

from __future__ import annotations

from collections.abc import Iterable

from mtbsync_daemon.config import Storage
from mtbsync_daemon.store.sessions import Derivative, DerivedRow

_DAY_S = 86400.0


def outlived(rows: Iterable[DerivedRow], keep: Storage, at: float) -> list[DerivedRow]:
    """Those that were made too long before the moment `at`, the oldest first. What is from the future stays:
    where a clock was put back, nobody knows how old a thing is."""
    listed = sorted(rows, key=lambda row: (row.made_at, row.key))
    return [row for row in listed if at - row.made_at > _days_of(row.kind, keep) * _DAY_S]


def _days_of(kind: Derivative, keep: Storage) -> float:
    match kind:
        case Derivative.WAV | Derivative.WAVEFORM:
            return keep.wav_days
        case Derivative.MEZZANINE:
            return keep.mezzanine_days
        case Derivative.PROXY | Derivative.THUMBNAIL:
            return float("inf")
