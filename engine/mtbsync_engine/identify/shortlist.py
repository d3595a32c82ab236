"""Which trails are worth aligning a new run with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mtbsync_engine.identify.gallery import Candidate
from mtbsync_engine.identify.where import share_of_way

MOST_TRAILS = 3
# What sharing all of the way is worth in a candidate's score: as much as looks reach by chance. On a hill
# with many trails GPS hardly tells one from the next, so looks that say something clear say more.
_WORTH_OF_WAY = 1.5


def shortlist(
    by_looks: Iterable[Candidate],
    cells: frozenset[str],
    cells_by_trail: Mapping[str, frozenset[str]],
    n_most: int = MOST_TRAILS,
) -> list[Candidate]:
    """The trails that a run most likely belongs to, `n_most` at most and the likeliest first.

    `by_looks` is what a gallery says, `cells` are the new run's, and `cells_by_trail` those of trails: of
    all that pass through or beside `cells`, and of all in `by_looks` that have any. Trails that were
    elsewhere are left out; of one without GPS, or of a run without, looks alone tell.
    """
    known = {candidate.trail_id: candidate for candidate in by_looks}
    known = {trail_id: Candidate(trail_id) for trail_id in cells_by_trail} | known
    placed = (
        replace(candidate, share=share_of_way(cells, cells_by_trail.get(trail_id, frozenset())))
        for trail_id, candidate in known.items()
    )
    likely = [candidate for candidate in placed if _likelihood(candidate) > 0 and candidate.share != 0]
    return sorted(likely, key=lambda candidate: (-_likelihood(candidate), candidate.trail_id))[:n_most]


def _likelihood(candidate: Candidate) -> float:
    return candidate.score + _WORTH_OF_WAY * (candidate.share or 0.0)
