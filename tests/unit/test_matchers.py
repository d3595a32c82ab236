"""Which key points of two pictures are taken for the same thing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtbsync_engine.align.matchers import matching
from mtbsync_engine.index.description import DESCRIPTOR_LENGTH
from mtbsync_engine.model import Descriptors, Matcher
from support.trails import MATCHERS

_LEAST_COSINE = 0.8


def _matches(matcher: Matcher, first: Descriptors, second: Descriptors, lowe: float = 0.8) -> list[list[int]]:
    """Rows that match; where the points lie plays no part."""
    nowhere = (np.zeros((len(d), 2), np.float32) for d in (first, second))
    found = matching(matcher, lowe)(*zip(nowhere, (first, second), strict=True))
    assert (found.ndim, found.shape[1], found.dtype) == (2, 2, np.intp)
    rows: list[list[int]] = found.tolist()
    return rows


def _numbers(directions: NDArray[np.float64]) -> NDArray[np.int8]:
    """Descriptors (n, 64) that point along `directions`."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.clip(np.rint(DESCRIPTOR_LENGTH * unit), -127, 127).astype(np.int8)


def _random_numbers(n: int, seed: int) -> NDArray[np.int8]:
    return _numbers(np.random.default_rng(seed).standard_normal((n, 64)))


def _random_bits(n: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, 32)).astype(np.uint8)


def _with_changed_bits(bits: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """The first `n` bits of every descriptor turned over."""
    unpacked = np.unpackbits(bits, axis=1)
    unpacked[:, :n] ^= 1
    return np.packbits(unpacked, axis=1)


@pytest.fixture(params=MATCHERS, ids=str)
def matcher(request: pytest.FixtureRequest) -> Matcher:
    return Matcher(request.param)


def _random(matcher: Matcher, n: int, seed: int) -> Descriptors:
    return _random_numbers(n, seed) if matcher is Matcher.XFEAT else _random_bits(n, seed)


def test_what_is_the_same_matches_in_whatever_order_it_comes(matcher: Matcher) -> None:
    first = _random(matcher, 40, 1)
    order = np.random.default_rng(2).permutation(40)
    assert _matches(matcher, first, first[order]) == [[k, int(np.argsort(order)[k])] for k in range(40)]


def test_what_is_different_does_not_match(matcher: Matcher) -> None:
    assert _matches(matcher, _random(matcher, 40, 1), _random(matcher, 40, 2)) == []


@pytest.mark.parametrize(("n_first", "n_second"), [(0, 0), (0, 5), (5, 0)], ids=str)
def test_nothing_matches_nothing(matcher: Matcher, n_first: int, n_second: int) -> None:
    assert _matches(matcher, _random(matcher, n_first, 1), _random(matcher, n_second, 1)) == []


def test_several_threads_may_share_it(matcher: Matcher) -> None:
    match = matching(matcher, 0.8)
    pairs = [(_random(matcher, 150, k), _random(matcher, 150, k)[::-1]) for k in range(40)]
    nowhere = np.zeros((150, 2), np.float32)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: match((nowhere, pair[0]), (nowhere, pair[1])), pairs))
    for rows in found:
        assert rows.tolist() == [[k, 149 - k] for k in range(150)]


# --- XFeat ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cosine", "n_matches"), [(_LEAST_COSINE - 0.02, 0), (_LEAST_COSINE + 0.02, 1)], ids=str
)
def test_directions_match_that_are_close_enough(cosine: float, n_matches: int) -> None:
    here, aside = np.linalg.qr(np.random.default_rng(3).standard_normal((64, 2)))[0].T
    there = cosine * here + (1 - cosine**2) ** 0.5 * aside
    assert len(_matches(Matcher.XFEAT, _numbers(here[None]), _numbers(there[None]))) == n_matches


def test_only_the_better_of_two_that_want_the_same_gets_it() -> None:
    rng = np.random.default_rng(4)
    here = rng.standard_normal(64)
    near, nearer = (here + amount * rng.standard_normal(64) for amount in (0.3, 0.1))
    assert _matches(Matcher.XFEAT, _numbers(np.array([near, nearer])), _numbers(here[None])) == [[1, 0]]
    assert _matches(Matcher.XFEAT, _numbers(here[None]), _numbers(np.array([near, nearer]))) == [[0, 1]]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
@settings(deadline=None)
def test_matches_are_each_other_s_most_alike(n_first: int, n_second: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((6, 64))
    first, second = (
        _numbers(places[rng.integers(0, 6, n)] + 0.3 * rng.standard_normal((n, 64)))
        for n in (n_first, n_second)
    )
    found = _matches(Matcher.XFEAT, first, second)
    products = first.astype(np.int64) @ second.astype(np.int64).T
    expected = [
        [j, i]
        for j in range(n_first)
        for i in range(n_second)
        if products[j, i] == products[j].max() == products[:, i].max()
        and products[j, i] > _LEAST_COSINE * DESCRIPTOR_LENGTH**2
    ]
    assert found == expected
    assert sorted([j, i] for i, j in _matches(Matcher.XFEAT, second, first)) == expected


# --- ORB --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lowe", "n_matches"), [(0.7, 0), (0.79, 0), (0.81, 1), (0.9, 1)], ids=str)
def test_bits_match_that_clearly_beat_the_runner_up(lowe: float, n_matches: int) -> None:
    bits = _random_bits(1, 5)
    others = np.concatenate([_with_changed_bits(bits, 50), _with_changed_bits(bits, 40)])
    assert _matches(Matcher.ORB, bits, others, lowe) == [[0, 1]] * n_matches


def test_without_a_runner_up_nothing_is_clear() -> None:
    assert _matches(Matcher.ORB, _random_bits(3, 6), _random_bits(1, 6)) == []


def test_the_ratio_says_nothing_of_directions() -> None:
    numbers = _random_numbers(10, 7)
    assert _matches(Matcher.XFEAT, numbers, numbers, 0.01) == [[k, k] for k in range(10)]
