"""Trails found by their looks, on looks whose likeness is known; and the gallery on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.identify import gallery as gallery_module
from mtbsync_engine.identify.gallery import Gallery, current_gallery, load_gallery, save_gallery
from mtbsync_engine.identify.looks import Looks, looks_of
from mtbsync_engine.model import IndexParams, Matcher
from support.looks import index_of_looks, random_looks

_ORB = IndexParams(matcher=Matcher.ORB)


def _shown(trail: int, n: int = 90) -> NDArray[np.float64]:
    """What a ride of the trail of that number shows: as with real pictures, a little of the one before."""
    shown = random_looks(n, seed=trail)
    shown[1:] += 0.5 * shown[:-1]
    return shown


def _looks(trail: int, noise: float = 0.0, seed: int = 0, keep: slice = slice(None)) -> Looks:
    shown = _shown(trail)[keep]
    return looks_of(index_of_looks(shown + noise * random_looks(len(shown), seed=1000 + seed)))


def _gallery(n_trails: int) -> Gallery:
    gallery = Gallery(IndexParams())
    for trail in range(1, n_trails + 1):
        gallery.add(f"t{trail}", "", _looks(trail))
    return gallery


# --- finding --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_trails", [1, 2, 40])
def test_a_rough_ride_of_a_known_trail_stands_far_above_chance(n_trails: int) -> None:
    gallery = _gallery(n_trails)
    for trail in {1, n_trails}:
        first, *others = gallery.rank(_looks(trail, noise=1.2, keep=slice(10, 80)))
        assert first.trail_id == f"t{trail}"
        assert first.score > 10
        assert all(other.score < 5 for other in others)


@pytest.mark.parametrize("n_trails", [1, 2, 40])
def test_a_ride_of_no_known_trail_stays_near_chance(n_trails: int) -> None:
    gallery = _gallery(n_trails)
    assert all(candidate.score < 5 for k in range(5) for candidate in gallery.rank(_looks(500 + k)))


def test_a_trail_ridden_slowly_with_a_turned_camera_is_found() -> None:
    shown = np.roll(np.repeat(_shown(7), 2, axis=0), 1, axis=1)
    shown += 0.8 * random_looks(len(shown), seed=3)
    assert _gallery(20).rank(looks_of(index_of_looks(shown)))[0].trail_id == "t7"


def test_look_alikes_in_any_order_are_no_trail() -> None:
    """All of a trail's places, but in no order, or backwards, say less than a third of them in theirs."""
    gallery = Gallery(IndexParams())
    order = np.random.default_rng(5).permutation(90)
    for trail_id, shown in {
        "shuffled": _shown(1)[order],
        "backwards": _shown(1)[::-1],
        "a third": np.concatenate([_shown(2)[:60], _shown(1)[60:]]),
    }.items():
        gallery.add(trail_id, "", looks_of(index_of_looks(shown + 0.3 * random_looks(90, seed=4))))
    ranked = gallery.rank(_looks(1, noise=0.5))
    assert ranked[0].trail_id == "a third"
    assert "backwards" not in [candidate.trail_id for candidate in ranked]


def test_many_rides_of_one_trail_hide_none_of_them() -> None:
    gallery = _gallery(10)
    for ride in range(12):
        gallery.add(f"again{ride}", "", _looks(3, noise=0.4, seed=ride))
    ranked = gallery.rank(_looks(3, noise=0.8, seed=50))
    assert {candidate.trail_id for candidate in ranked if candidate.score > 2} == {
        "t3",
        *(f"again{ride}" for ride in range(12)),
    }


def test_the_same_gallery_and_run_give_the_same_answer() -> None:
    new = _looks(5, noise=1.5)
    assert _gallery(30).rank(new) == _gallery(30).rank(new)


def test_nothing_is_found_among_nothing() -> None:
    nothing = looks_of(index_of_looks(np.ones((30, 8, 16))))
    assert Gallery(IndexParams()).rank(_looks(1)) == []
    assert _gallery(3).rank(nothing) == []
    gallery = Gallery(IndexParams())
    gallery.add("blank", "", nothing)
    assert gallery.rank(_looks(1)) == []
    gallery.add("t1", "", _looks(1))
    assert [candidate.trail_id for candidate in gallery.rank(_looks(1))] == ["t1"]


def test_what_was_indexed_otherwise_takes_no_part() -> None:
    gallery = Gallery(IndexParams())
    gallery.add("orb", "", replace(_looks(1), params=_ORB))
    gallery.add("t1", "", _looks(1))
    assert [candidate.trail_id for candidate in gallery.rank(_looks(1))] == ["t1"]
    assert gallery.rank(replace(_looks(1), params=_ORB)) == []


def test_how_many_pictures_a_second_an_index_has_does_not_matter() -> None:
    gallery = Gallery(IndexParams())
    gallery.add("t1", "", replace(_looks(1), params=IndexParams(fps=2.0, fast=True)))
    assert gallery.rank(_looks(1))


# --- kept -----------------------------------------------------------------------------------------------


def test_a_gallery_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    gallery = _gallery(12)
    gallery.add("orb", "k", replace(_looks(1), params=_ORB))
    save_gallery(gallery, tmp_path / "gallery.npz")
    loaded = load_gallery(tmp_path / "gallery.npz")
    assert (loaded.params, loaded.keys) == (gallery.params, gallery.keys)
    new = _looks(9, noise=1.0)
    assert loaded.rank(new) == gallery.rank(new)
    for one in (gallery, loaded):
        one.add("t13", "", _looks(13))
    assert loaded.rank(_looks(13, noise=1.0)) == gallery.rank(_looks(13, noise=1.0))


def test_an_empty_gallery_can_be_kept(tmp_path: Path) -> None:
    save_gallery(Gallery(_ORB), tmp_path / "gallery.npz")
    loaded = load_gallery(tmp_path / "gallery.npz")
    assert (loaded.params, loaded.keys) == (_ORB, {})


def _damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _of_other_parts(path: Path) -> None:
    gallery = load_gallery(path)
    gallery._entries.pop()
    save_gallery(gallery, path)


def _without_graph(path: Path) -> None:
    with np.load(path) as stored:
        about = stored["about"]
    np.savez(path, about=about, graph=np.zeros(7, np.uint8))


@pytest.mark.parametrize("spoil", [_damaged, _cut, _of_other_parts, _without_graph, Path.unlink])
def test_what_is_no_gallery_is_refused_and_made_anew(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = tmp_path / "gallery.npz"
    save_gallery(_gallery(3), path)
    spoil(path)
    with pytest.raises(ArtifactError, match="no gallery"):
        load_gallery(path)
    made = current_gallery(path, {"t1": ""}, IndexParams(), lambda trail_id: _looks(1))
    assert made.rank(_looks(1))[0].trail_id == "t1"
    assert load_gallery(path).keys == {"t1": ""}


def test_another_version_s_gallery_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_gallery(_gallery(1), tmp_path / "gallery.npz")
    monkeypatch.setattr(gallery_module, "STAGE_VERSION", "another")
    with pytest.raises(ArtifactError):
        load_gallery(tmp_path / "gallery.npz")


class _Library:
    """Trails with their looks, and which of these were asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys: dict[str, str] = {}
        self.params = IndexParams()
        self.asked: list[str] = []

    def load(self, trail_id: str) -> Looks:
        self.asked.append(trail_id)
        return replace(_looks(int(trail_id[1:])), params=self.params)

    def current(self) -> Gallery:
        self.asked = []
        return current_gallery(self.path, self.keys, self.params, self.load)


def test_a_gallery_follows_the_trails_and_only_new_ones_are_read(tmp_path: Path) -> None:
    library = _Library(tmp_path / "galleries" / "xfeat.npz")

    library.keys = {"t2": "a", "t1": "a"}
    assert library.current().keys == library.keys
    assert library.asked == ["t1", "t2"]

    library.current()
    assert library.asked == []

    library.keys["t3"] = "a"
    assert library.current().rank(_looks(3))[0].trail_id == "t3"
    assert library.asked == ["t3"]

    library.keys["t2"] = "b"
    assert library.current().keys == library.keys
    assert library.asked == ["t1", "t2", "t3"]

    del library.keys["t1"]
    gallery = library.current()
    assert library.asked == ["t2", "t3"]
    assert "t1" not in [candidate.trail_id for candidate in gallery.rank(_looks(1))]

    library.params = _ORB
    assert library.current().params == _ORB
    assert library.asked == ["t2", "t3"]


def test_a_trail_that_cannot_be_compared_is_not_read_again_and_again(tmp_path: Path) -> None:
    library = _Library(tmp_path / "gallery.npz")
    library.keys = {"t1": "a"}
    library.params = _ORB
    for asked in (["t1"], []):
        library.asked = []
        current_gallery(library.path, library.keys, IndexParams(), library.load)
        assert library.asked == asked
