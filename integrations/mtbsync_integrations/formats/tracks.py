"""Clips that lie anywhere on the timeline, laid out as tracks of clips and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtbsync_integrations.timeline import Clip, Gap, Track


@dataclass(frozen=True)
class Piece:
    """A clip that begins at the timeline's frame `first`; the higher lane lies above."""

    lane: int
    first: int
    clip: Clip


def laid_out(pieces: Sequence[Piece]) -> tuple[Track, ...]:
    """Tracks from the bottom up. Clips of one lane that overlap go to tracks above each other."""
    tracks: list[list[Clip | Gap]] = []
    for lane in sorted({piece.lane for piece in pieces}):
        rows: list[tuple[int, list[Clip | Gap]]] = []
        for piece in sorted((p for p in pieces if p.lane == lane), key=lambda p: p.first):
            free = next((k for k, (end, _) in enumerate(rows) if end <= piece.first), len(rows))
            end, items = rows[free] if free < len(rows) else (0, [])
            if piece.first > end:
                items.append(Gap(piece.first - end))
            items.append(piece.clip)
            rows[free : free + 1] = [(piece.first + piece.clip.n_frames, items)]
        tracks += [items for _, items in rows]
    return tuple(Track(f"Video {number}", tuple(items)) for number, items in enumerate(tracks, start=1))
