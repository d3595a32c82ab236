"""Which trail a run is given to, when a person is asked, and in which words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.identify.decide import Tried, decide
from mtbsync_engine.model import Decision

_CHANCE = "It lines up no better than chance."


def _tried(
    trail_id: str,
    coverage: float = 0.95,
    margin: float = 0.9,
    decision: Decision = Decision.ACCEPT,
    reasons: tuple[str, ...] = ("All is well.",),
    n_verified: int = 40,
) -> Tried:
    return Tried(trail_id, trail_id.upper(), decision, reasons, margin, coverage, n_verified, 0.1)


def _rejected(trail_id: str, margin: float = 0.0) -> Tried:
    return _tried(trail_id, 0.3, margin, Decision.REJECT, (_CHANCE,))


@pytest.mark.parametrize("decision", [Decision.ACCEPT, Decision.REVIEW])
def test_the_only_trail_that_fits_is_the_one(decision: Decision) -> None:
    found = decide([_rejected("a"), _tried("b", decision=decision), _rejected("c")])
    assert found.trail_id == "b"
    assert found.reasons == ("95% of the run lines up with B, and no other trail fits.",)
    assert [one.trail_id for one in found.tried] == ["b", "a", "c"]


def test_a_trail_that_shares_a_stretch_does_not_come_close() -> None:
    found = decide([_tried("a", coverage=0.4), _tried("b", coverage=1.0)])
    assert found.trail_id == "b"
    assert found.reasons == ("100% of the run lines up with B; the next best, A, fits 40% as well.",)


def test_two_that_fit_about_as_well_wait_for_a_person() -> None:
    found = decide([_rejected("c"), _tried("a", coverage=0.85), _tried("b", decision=Decision.REVIEW)])
    assert found.trail_id is None
    assert found.reasons == ("Two trails fit about as well: B and A; say which it is.",)
    assert [one.trail_id for one in found.tried] == ["b", "a", "c"]


def test_three_that_fit_about_as_well_are_all_named() -> None:
    (reason,) = decide([_tried("a"), _tried("b"), _tried("c")]).reasons
    assert reason == "3 trails fit about as well: A, B and C; say which it is."


def test_where_gps_alone_speaks_for_both_it_is_not_the_margin_that_decides() -> None:
    by_gps = [
        _tried(trail_id, margin=margin, decision=Decision.REVIEW)
        for trail_id, margin in (("a", 0.01), ("b", 0.2))
    ]
    assert decide(by_gps).trail_id is None
    assert decide([*by_gps, _tried("c", margin=0.8)]).trail_id == "c"


def test_where_no_picture_was_verified_a_person_is_asked() -> None:
    found = decide([_tried("a", decision=Decision.REVIEW, n_verified=0), _rejected("b")])
    assert found.trail_id is None
    assert found.reasons == (
        "A may fit, but no picture could be verified by its details; say whether it is that.",
    )
    assert decide([_tried("a", decision=Decision.REVIEW, n_verified=1)]).trail_id == "a"


def test_a_run_that_fits_none_is_nobody_s() -> None:
    found = decide([_rejected("a"), _rejected("b", 0.2)])
    assert found.trail_id is None
    assert found.reasons == ("It fits neither A nor B.", f"A: {_CHANCE}")
    assert decide([_rejected("a")]).reasons[0] == "It does not fit A."


def test_without_candidates_the_run_is_nobody_s() -> None:
    found = decide([])
    assert found.trail_id is None
    assert "first run of a new one" in found.reasons[0]


def test_a_trail_that_cannot_be_lined_up_at_all_is_rejected_with_the_reason() -> None:
    failed = Tried.failed("a", "A", AlignmentError("The two runs have nothing in common."))
    found = decide([failed])
    assert found.trail_id is None
    assert found.reasons[1] == "A: The two runs have nothing in common."


_ANY = st.builds(
    _tried,
    st.sampled_from("abcdef"),
    st.floats(0, 1),
    st.one_of(st.floats(0, 1), st.just(math.nan)),
    st.sampled_from(list(Decision)),
    n_verified=st.integers(0, 3),
)


@given(st.lists(_ANY, max_size=5, unique_by=lambda one: one.trail_id))
def test_nothing_that_was_rejected_ever_wins_and_nobody_comes_close_to_the_winner(tried: list[Tried]) -> None:
    found = decide(tried)
    assert found.reasons
    assert sorted(one.trail_id for one in found.tried) == sorted(one.trail_id for one in tried)
    if found.trail_id is None:
        return
    winner, *others = found.tried
    assert winner.trail_id == found.trail_id
    assert winner.decision is not Decision.REJECT
    assert winner.n_verified > 0
    assert all(one.fit < 0.8 * winner.fit for one in others if one.decision is not Decision.REJECT)


@given(_ANY)
def test_a_trail_that_is_registered_twice_is_never_guessed(one: Tried) -> None:
    twin = _tried("twin", one.coverage, one.margin, one.decision, n_verified=one.n_verified)
    assert decide([one, twin]).trail_id is None
    assert decide([twin, one]).trail_id is None


@given(st.permutations([_tried("a"), _tried("b", 0.3), _rejected("c"), _rejected("d")]))
def test_the_order_in_which_trails_were_tried_does_not_matter(tried: list[Tried]) -> None:
    assert decide(tried) == decide([_tried("a"), _tried("b", 0.3), _rejected("c"), _rejected("d")])
