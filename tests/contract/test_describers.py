"""What every describer that comes with mtbsync owes, whatever the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.align.matchers import Matches, matching
from mtbsync_engine.index.describe import describers
from mtbsync_engine.index.description import DESCRIPTOR_LENGTH, Describer, Description
from mtbsync_engine.model import IndexParams, Matcher
from support.scene import trail_frame
from support.trails import MATCHERS

Gray = NDArray[np.uint8]

_N_FEATURES = 150
_LOWE = 0.8
_KIND = {Matcher.XFEAT: (64, np.int8), Matcher.ORB: (32, np.uint8)}
# XFeat compares each point with all others, ORB leaves out those with a near second.
_LEAST_RIGHT = {Matcher.XFEAT: 0.5, Matcher.ORB: 0.85}
# Points may be whole pixels of a picture that was made smaller.
_PIXEL_PX = {Matcher.XFEAT: 1.0, Matcher.ORB: 0.1}
_SIZES = {
    "landscape": (480, 270),
    "portrait": (270, 480),
    "4:3": (480, 360),
    "square": (360, 360),
    "large": (960, 540),
    "tiny": (40, 30),
    "panorama": (480, 60),
}


@pytest.fixture(scope="module", params=MATCHERS, ids=str)
def matcher(request: pytest.FixtureRequest) -> Matcher:
    return Matcher(request.param)


@pytest.fixture(scope="module")
def describer(matcher: Matcher) -> Describer:
    return _describer(IndexParams(matcher=matcher, n_features=_N_FEATURES))


def _describer(params: IndexParams) -> Describer:
    return describers(params)()


def _matches(matcher: Matcher, first: Description, second: Description) -> Matches:
    match = matching(matcher, _LOWE)
    return match((first.points, first.descriptors), (second.points, second.descriptors)).T


def _gray(size: tuple[int, int] = (480, 270), position_m: float = 7.0, seed: int = 3) -> Gray:
    return np.asarray(cv2.cvtColor(trail_frame(position_m, seed, size), cv2.COLOR_RGB2GRAY), np.uint8)


def _likeness(a: Description, b: Description) -> float:
    first, second = (d.look.astype(np.float64).ravel() for d in (a, b))
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("size", _SIZES.values(), ids=_SIZES.keys())
def test_a_description_is_well_formed_whatever_the_size(
    describer: Describer, matcher: Matcher, size: tuple[int, int]
) -> None:
    described = describer.describe(_gray(size))
    n = len(described.points)
    width, dtype = _KIND[matcher]
    assert n <= _N_FEATURES
    assert (described.points.shape, described.points.dtype) == ((n, 2), np.float32)
    assert (described.descriptors.shape, described.descriptors.dtype) == ((n, width), dtype)
    assert (described.look.ndim, described.look.dtype) == (2, np.float16)
    assert described.look.shape == describer.describe(_gray()).look.shape
    assert np.isfinite(described.look).all()
    assert np.isfinite(described.points).all()
    assert (described.points >= 0).all()
    # In units of the longer side.
    assert (described.points <= np.array(size) / max(size)).all()


@pytest.mark.parametrize("size", [s for s in _SIZES.values() if min(s) > 200], ids=str)
@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)], ids=str)
def test_key_points_lie_where_the_detail_is(
    describer: Describer, size: tuple[int, int], corner: tuple[int, int]
) -> None:
    """All detail of a picture is in the middle of one of its quarters."""
    low = np.array([(0.15 + 0.5 * c) * side for c, side in zip(corner, size, strict=True)]).astype(int)
    high = low + np.array(size) // 5
    gray = np.full(size[::-1], 128, np.uint8)
    detail = np.random.default_rng(5).integers(0, 2, ((high - low) // 6 + 1)[::-1])
    blocks = np.kron(detail, np.full((6, 6), 200)).astype(np.uint8)
    gray[low[1] : high[1], low[0] : high[0]] = blocks[: high[1] - low[1], : high[0] - low[0]]
    points = describer.describe(gray).points * max(size)
    assert len(points) > 20
    # A cell of 8 pixels that holds an edge may have its point at its far side, a little scaled.
    inside = ((points > low - 16) & (points < high + 16)).all(axis=1)
    assert inside.mean() > 0.95
    assert np.ptp(points[inside], axis=0) == pytest.approx(high - low, rel=0.35)


def test_fewer_key_points_are_the_strongest_of_more(describer: Describer, matcher: Matcher) -> None:
    gray = _gray()
    few = _describer(IndexParams(matcher=matcher, n_features=50)).describe(gray).points
    many = {tuple(point) for point in describer.describe(gray).points.tolist()}
    assert len(few) == 50
    assert sum(tuple(point) in many for point in few.tolist()) >= 48


@pytest.mark.parametrize("level", [0, 77, 255])
@pytest.mark.parametrize("size", [(480, 270), (40, 30), (270, 480)], ids=str)
def test_a_flat_picture_has_no_key_points(
    describer: Describer, matcher: Matcher, size: tuple[int, int], level: int
) -> None:
    described = describer.describe(np.full(size[::-1], level, np.uint8))
    width, dtype = _KIND[matcher]
    assert (described.points.shape, described.points.dtype) == ((0, 2), np.float32)
    assert (described.descriptors.shape, described.descriptors.dtype) == ((0, width), dtype)
    assert np.isfinite(described.look).all()


def test_the_same_picture_is_described_the_same(describer: Describer, matcher: Matcher) -> None:
    another = _describer(IndexParams(matcher=matcher, n_features=_N_FEATURES))
    first = describer.describe(_gray())
    describer.describe(_gray((270, 480), 20.0))
    for second in (describer.describe(_gray()), another.describe(_gray())):
        np.testing.assert_array_equal(second.look, first.look)
        np.testing.assert_array_equal(second.points, first.points)
        np.testing.assert_array_equal(second.descriptors, first.descriptors)


def test_a_description_does_not_change_the_picture(describer: Describer) -> None:
    gray = _gray()
    gray.setflags(write=False)
    describer.describe(gray)
    np.testing.assert_array_equal(gray, _gray())


@pytest.mark.parametrize(
    "light",
    [
        lambda g: g + 40.0,
        lambda g: g - 30.0,
        lambda g: 0.5 * g,
        lambda g: 128 + 0.6 * (g - 128.0),
        lambda g: 255 * (g / 255.0) ** 0.7,
    ],
    ids=["brighter", "darker", "half the light", "less contrast", "another gamma"],
)
def test_a_look_stays_the_same_in_another_light(describer: Describer, light: object) -> None:
    gray = _gray()
    assert callable(light)
    lit = np.clip(light(gray.astype(np.float64)), 0, 255).astype(np.uint8)
    here = describer.describe(gray)
    elsewhere = max(
        _likeness(here, describer.describe(_gray(position_m=position_m))) for position_m in (17.0, 27.0, 47.0)
    )
    # Of what tells one place from another next to nothing is lost.
    assert 1 - _likeness(here, describer.describe(lit)) < 0.1 * (1 - elsewhere)


def test_a_look_has_its_columns_from_left_to_right(describer: Describer) -> None:
    changed = _gray().copy()
    changed[:, 240:] = _gray(position_m=40.0)[:, 240:]
    before, after = (describer.describe(gray).look.astype(np.float64) for gray in (_gray(), changed))
    difference = np.abs(after - before).mean(axis=1)
    quarter = len(difference) // 4
    assert difference[:quarter].max() < 0.5 * difference[-quarter:].min()


@pytest.mark.parametrize("shift_px", [(24, 0), (-40, 16), (7, -13)], ids=str)
@pytest.mark.parametrize("size", [(480, 270), (270, 480), (400, 400)], ids=str)
def test_key_points_tell_how_far_a_picture_was_shifted(
    matcher: Matcher, size: tuple[int, int], shift_px: tuple[int, int]
) -> None:
    describer = _describer(IndexParams(matcher=matcher))
    margin = 48
    wide = _gray((size[0] + 2 * margin, size[1] + 2 * margin))

    def cut(x: int, y: int) -> Gray:
        return np.ascontiguousarray(wide[y : y + size[1], x : x + size[0]])

    here = describer.describe(cut(margin, margin))
    shifted = describer.describe(cut(margin - shift_px[0], margin - shift_px[1]))
    in_here, in_shifted = _matches(matcher, here, shifted)
    moved = (shifted.points[in_shifted] - here.points[in_here]) * max(size)
    # Others match what repeats, which a similarity sorts out later.
    right = np.abs(moved - shift_px).max(axis=1) < 2
    assert right.sum() > 100
    assert right.mean() > _LEAST_RIGHT[matcher]
    assert np.abs(np.median(moved, axis=0) - shift_px).max() < _PIXEL_PX[matcher]


def test_key_points_tell_how_much_a_picture_was_enlarged(describer: Describer, matcher: Matcher) -> None:
    gray = _gray()
    matrix = cv2.getRotationMatrix2D((239.5, 134.5), 0, 1.1)
    larger = np.asarray(cv2.warpAffine(gray, matrix, (480, 270), flags=cv2.INTER_CUBIC), np.uint8)
    first, second = describer.describe(gray), describer.describe(larger)
    in_first, in_second = _matches(matcher, first, second)
    similarity, inliers = cv2.estimateAffinePartial2D(
        first.points[in_first], second.points[in_second], ransacReprojThreshold=0.00625
    )
    assert inliers.sum() > 30
    assert np.hypot(similarity[0, 0], similarity[1, 0]) == pytest.approx(1.1, abs=0.01)


def test_the_scale_of_a_picture_changes_neither_its_points_nor_its_look(
    describer: Describer, matcher: Matcher
) -> None:
    gray = _gray()
    large = np.asarray(cv2.resize(gray, (720, 405), interpolation=cv2.INTER_CUBIC), np.uint8)
    first, second = describer.describe(gray), describer.describe(large)
    assert _likeness(first, second) > 0.98
    in_first, in_second = _matches(matcher, first, second)
    off = np.abs(first.points[in_first] - second.points[in_second]).max(axis=1)
    assert in_first.size > 20
    assert np.median(off) < 0.005


def test_numbers_in_descriptors_are_those_of_one_length() -> None:
    descriptors = _describer(IndexParams(matcher=Matcher.XFEAT)).describe(_gray()).descriptors
    lengths = np.linalg.norm(descriptors.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, DESCRIPTOR_LENGTH, rtol=0.02)
