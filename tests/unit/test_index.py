"""An index on disk, and what a picture is described by."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.errors import ArtifactError, MediaError
from mtbsync_engine.index import store
from mtbsync_engine.index.appearance import N_COLUMNS, describe_appearance, make_appearance_descriptor
from mtbsync_engine.index.build import build_index
from mtbsync_engine.index.orb import Orb
from mtbsync_engine.index.store import load_index, save_index
from mtbsync_engine.media import probe
from mtbsync_engine.model import Index, IndexParams, Matcher
from mtbsync_engine.pipeline import kept_index
from support.scene import trail_frame
from support.trails import MATCHERS
from support.videos import ride, write_video

_PARAMS = IndexParams(fps=3.0, max_side_px=320, n_features=200)


# How each matcher's descriptors are kept.
_DESCRIPTORS = [(Matcher.XFEAT, 64, np.int8), (Matcher.ORB, 32, np.uint8)]


def _index(
    seed: int = 0, n: int = 5, *, matcher: Matcher = Matcher.XFEAT, width: int = 64, dtype: type = np.int8
) -> Index:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, n)
    return Index(
        params=IndexParams(fps=2.5, max_side_px=640, n_features=321, matcher=matcher, clahe=False, fast=True),
        fingerprint="b2-0123",
        duration_s=12.345678901234567,
        t_s=np.cumsum(rng.random(n)),
        appearance=rng.random((n, N_COLUMNS, 108)).astype(np.float16),
        points=rng.random((counts.sum(), 2)).astype(np.float32),
        descriptors=rng.integers(0, 256, (counts.sum(), width)).astype(dtype),
        first_point=np.cumsum([0, *counts]),
    )


def _gray(position_m: float = 7.0, seed: int = 3) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(trail_frame(position_m, seed), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _look(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    look = describe_appearance(make_appearance_descriptor(), gray).astype(np.float32).ravel()
    return look / np.linalg.norm(look)


def _likeness(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(_look(a) @ _look(b))


# --- on disk ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("matcher", "width", "dtype"), _DESCRIPTORS, ids=str)
def test_an_index_comes_back_to_the_last_bit(
    tmp_path: Path, matcher: Matcher, width: int, dtype: type
) -> None:
    index = _index(matcher=matcher, width=width, dtype=dtype)
    save_index(index, tmp_path / "a.npz")
    loaded = load_index(tmp_path / "a.npz")
    assert (loaded.params, loaded.fingerprint, loaded.duration_s) == (
        index.params,
        index.fingerprint,
        index.duration_s,
    )
    for name in ("t_s", "appearance", "points", "descriptors", "first_point"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(index, name))
        assert getattr(loaded, name).dtype == getattr(index, name).dtype


def test_each_picture_keeps_its_own_key_points(tmp_path: Path) -> None:
    index = _index(n=6)
    save_index(index, tmp_path / "a.npz")
    loaded = load_index(tmp_path / "a.npz")
    joined = np.concatenate([loaded.local(k)[0] for k in range(6)])
    np.testing.assert_array_equal(joined, index.points)
    for k in range(6):
        points, descriptors = loaded.local(k)
        assert len(points) == len(descriptors) == np.diff(index.first_point)[k]


def test_an_index_needs_nothing_but_numpy_to_be_read(tmp_path: Path) -> None:
    save_index(_index(), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        assert json.loads(str(stored["about"]))["params"]["n_features"] == 321


@pytest.mark.parametrize("change", [1, -1])
def test_an_index_of_another_stage_version_is_refused_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: int
) -> None:
    monkeypatch.setattr(store, "STAGE_VERSION", store.STAGE_VERSION + change)
    save_index(_index(), tmp_path / "a.npz")
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match="made by another version of mtbsync"):
        load_index(tmp_path / "a.npz")


def test_a_later_version_may_have_parameters_that_this_one_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save_index(_index(), path)
    with np.load(path) as stored:
        arrays = dict(stored)
    about = json.loads(str(arrays.pop("about")))
    about["stage_version"] += 1
    about["params"]["depth"] = True
    np.savez(path, about=json.dumps(about), **arrays)
    with pytest.raises(ArtifactError, match="made by another version of mtbsync"):
        load_index(path)


def test_a_missing_index_is_told_how_to_make(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no index at .*a\.npz; make one with `mtbsync index`"):
        load_index(tmp_path / "a.npz")


def test_a_damaged_index_is_refused_and_never_half_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save_index(_index(n=2), path)
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 211):
        path.write_bytes(content[:length])
        with pytest.raises(ArtifactError, match=r"a\.npz is not an index"):
            load_index(path)
    rng = np.random.default_rng(0)
    for place in rng.choice(len(content), 200, replace=False):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(load_index(path).appearance, _index(n=2).appearance)
        except ArtifactError:
            continue


@pytest.mark.parametrize("missing", ["about", "t_s", "appearance", "points", "descriptors", "first_point"])
def test_an_index_that_lacks_a_part_is_refused(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "a.npz"
    save_index(_index(), path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files if name != missing}
    np.savez(path, **arrays)
    with pytest.raises(ArtifactError, match="not an index"):
        load_index(path)


def test_another_thing_of_ours_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("t_new,t_ref\n", encoding="utf-8")
    (tmp_path / "folder.npz").mkdir()
    for name in ("a.npz", "folder.npz"):
        with pytest.raises(ArtifactError, match="not an index"):
            load_index(tmp_path / name)


# --- from a video -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filmed") / "ride.mp4"
    return ride(path, lambda t_s: 5 * t_s, 4.0, seed=3, rate=6, gop=2)


@pytest.mark.parametrize(("matcher", "width", "dtype"), _DESCRIPTORS, ids=str)
def test_an_index_holds_what_was_asked_for(filmed: Path, matcher: Matcher, width: int, dtype: type) -> None:
    recording = probe(filmed)
    params = dataclasses.replace(_PARAMS, matcher=matcher)
    seen: list[float] = []
    index = build_index(recording, params, on_picture=seen.append)
    assert index.params == params
    assert (index.descriptors.shape, index.descriptors.dtype) == ((len(index.points), width), dtype)
    assert (index.appearance.shape[0], index.appearance.dtype) == (12, np.float16)
    assert index.fingerprint == recording.fingerprint
    assert index.duration_s == recording.duration_s
    np.testing.assert_allclose(index.t_s, np.arange(12) / 3, rtol=0, atol=1e-3)
    assert seen == index.t_s.tolist()
    assert index.spacing_s == pytest.approx(1 / 3, abs=1e-3)
    for k in range(12):
        points, descriptors = index.local(k)
        assert 50 <= len(points) <= 200
        assert len(points) == len(descriptors)
        # In units of the longer side.
        assert (points >= 0).all()
        assert (points[:, 0] <= 1).all()
        assert (points[:, 1] <= 180 / 320).all()


@pytest.mark.parametrize("matcher", MATCHERS, ids=str)
def test_an_index_is_the_same_however_many_threads_make_it(filmed: Path, matcher: Matcher) -> None:
    params = dataclasses.replace(_PARAMS, matcher=matcher)
    first, *others = (build_index(probe(filmed), params, n_threads=n) for n in (1, 2, 5, None))
    for other in others:
        for name in ("t_s", "appearance", "points", "descriptors", "first_point"):
            np.testing.assert_array_equal(getattr(first, name), getattr(other, name))


def test_pictures_without_key_points_keep_their_place(tmp_path: Path) -> None:
    """More pictures than wait for a describer at any time, some of which show nothing."""
    flat = np.full((180, 320, 3), 90, np.uint8)
    pictures = [flat if k % 4 == 1 else _picture(k) for k in range(40)]
    path = write_video(tmp_path / "blinking.mp4", pictures, 10, gop=1)
    index = build_index(probe(path), dataclasses.replace(_PARAMS, fps=10), n_threads=2)
    shows_something = np.array([len(index.local(k)[0]) > 0 for k in range(40)])
    assert shows_something.tolist() == [k % 4 != 1 for k in range(40)]


def test_a_kept_index_is_used_only_for_its_own_content_and_parameters(filmed: Path, tmp_path: Path) -> None:
    recording = probe(filmed)
    path = tmp_path / "kept.npz"
    assert kept_index(path, recording, _PARAMS) is None
    save_index(build_index(recording, _PARAMS), path)
    assert kept_index(path, recording, _PARAMS) is not None
    assert kept_index(path, recording, dataclasses.replace(_PARAMS, matcher=Matcher.ORB)) is None
    assert kept_index(path, recording, dataclasses.replace(_PARAMS, n_features=199)) is None
    assert kept_index(path, dataclasses.replace(recording, fingerprint="another"), _PARAMS) is None
    path.write_bytes(path.read_bytes()[:-100])
    assert kept_index(path, recording, _PARAMS) is None


def test_a_clip_that_is_too_short_is_told_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "short.mp4", [_picture(k) for k in range(8)], 10)
    with pytest.raises(MediaError, match=r"short\.mp4 is too short to line up: 3 pictures"):
        build_index(probe(path), _PARAMS)


def _picture(k: int) -> NDArray[np.uint8]:
    return trail_frame(0.5 * k, 3)


def test_one_flat_colour_is_nothing_to_recognise(tmp_path: Path) -> None:
    flat = [np.full((180, 320, 3), 90, np.uint8)] * 30
    with pytest.raises(MediaError, match="one flat colour"):
        build_index(probe(write_video(tmp_path / "flat.mp4", flat, 10)), _PARAMS)


@pytest.mark.parametrize("matcher", MATCHERS, ids=str)
def test_a_fogged_lens_has_no_detail(tmp_path: Path, matcher: Matcher) -> None:
    ramp = np.broadcast_to(np.linspace(60, 180, 320, dtype=np.uint8)[None, :, None], (180, 320, 3))
    path = write_video(tmp_path / "fog.mp4", [np.ascontiguousarray(ramp)] * 30, 10)
    with pytest.raises(MediaError, match="no detail"):
        build_index(probe(path), dataclasses.replace(_PARAMS, matcher=matcher, clahe=False))


# --- the look of a picture --------------------------------------------------------------------------


def test_a_look_has_its_columns_side_by_side() -> None:
    look = describe_appearance(make_appearance_descriptor(), _gray())
    assert look.shape == (N_COLUMNS, 108)
    assert look.dtype == np.float16
    left = _gray().copy()
    left[:, 160:] = 128
    changed = np.abs(describe_appearance(make_appearance_descriptor(), left) - look).max(axis=1)
    assert (changed[: N_COLUMNS // 2 - 2] < 0.01).all()
    assert (changed[N_COLUMNS // 2 + 2 :] > 0.1).all()


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
def test_a_look_stays_the_same_in_another_light(light: object) -> None:
    gray = _gray()
    assert callable(light)
    lit = np.clip(light(gray.astype(np.float64)), 0, 255).astype(np.uint8)
    another_place = max(_likeness(gray, _gray(position_m)) for position_m in (17.0, 27.0, 47.0))
    # Of what tells one place from another next to nothing is lost.
    assert 1 - _likeness(gray, lit) < 0.02 * (1 - another_place)


def test_a_look_does_not_depend_on_the_size_of_the_picture() -> None:
    gray = _gray()
    large = cv2.resize(gray, (1280, 720), interpolation=cv2.INTER_CUBIC)
    assert _likeness(gray, np.asarray(large, np.uint8)) > 0.99


def test_a_flat_picture_looks_like_nothing() -> None:
    look = describe_appearance(make_appearance_descriptor(), np.full((90, 160), 77, np.uint8))
    assert (look == 0).all()


# --- ORB ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clahe", [True, False])
def test_a_flat_picture_has_no_key_points_however_contrast_is_equalised(clahe: bool) -> None:
    described = Orb(100, clahe=clahe).describe(np.full((90, 160), 77, np.uint8))
    assert (described.points.shape, described.points.dtype) == ((0, 2), np.float32)
    assert (described.descriptors.shape, described.descriptors.dtype) == ((0, 32), np.uint8)


def test_equalised_contrast_finds_key_points_in_the_shade() -> None:
    shade = (0.12 * _gray()).astype(np.uint8)
    plain, equalised = (len(Orb(500, clahe=clahe).describe(shade).points) for clahe in (False, True))
    assert equalised > 2 * plain
