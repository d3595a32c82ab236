"""A run's looks: which pictures they are of, what their codes keep, and what comes back from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.identify import looks as looks_module
from mtbsync_engine.identify.looks import N_BITS, Looks, load_looks, looks_of, save_looks
from mtbsync_engine.model import IndexParams, Matcher
from support.looks import index_of_looks, random_looks


def _off_bits(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many bits differ between codes (N, B)."""
    return np.bitwise_count(a ^ b).sum(axis=-1)


def test_pictures_are_spread_evenly_over_the_ride() -> None:
    looks = looks_of(index_of_looks(random_looks(300)))
    assert looks.t_s[0] == 0
    assert looks.t_s[-1] == pytest.approx(299 / 3)
    assert 180 < looks.t_s.size <= 201
    assert np.diff(looks.t_s).min() > 0
    assert np.diff(looks.t_s).max() < 0.7


def test_of_a_long_ride_there_are_no_more_than_a_few_hundred_and_all_of_it_is_seen() -> None:
    looks = looks_of(index_of_looks(random_looks(3600)))
    assert looks.t_s.size == 300
    assert looks.t_s[-1] == pytest.approx(3599 / 3)
    assert np.diff(looks.t_s).max() < 5


def test_a_rest_takes_few_of_the_pictures() -> None:
    shown = random_looks(120)
    shown[30:90] = shown[30]
    rests = looks_of(index_of_looks(shown)).t_s
    resting = ((rests > 11) & (rests < 29)).mean()
    assert 0 < resting < 0.35


def test_codes_of_like_pictures_are_alike_and_of_others_are_not() -> None:
    shown = random_looks(90)
    one = looks_of(index_of_looks(shown))
    again = looks_of(index_of_looks(shown + 0.5 * random_looks(90, seed=2)))
    np.testing.assert_array_equal(one.t_s, again.t_s)
    assert _off_bits(one.straight, again.straight).max() < 0.25 * N_BITS
    unlike = _off_bits(one.straight, np.roll(again.straight, 5, axis=0))
    assert abs(unlike.mean() - N_BITS / 2) < 0.02 * N_BITS
    assert unlike.min() > 0.4 * N_BITS


def test_what_all_pictures_share_leaves_the_codes_as_they_are() -> None:
    shown = random_looks(90)
    plain, barred = (looks_of(index_of_looks(shown + bar)) for bar in (0.0, 3 * random_looks(1, seed=3)))
    assert _off_bits(plain.straight, barred.straight).max() < 0.02 * N_BITS


@pytest.mark.parametrize("turn", [-1, 1])
def test_one_of_the_turned_codes_fits_a_camera_that_was_turned(turn: int) -> None:
    shown = random_looks(90)
    turned = np.roll(shown, turn, axis=1)
    turned[:, 0 if turn > 0 else -1] = random_looks(90, seed=4)[:, 0]
    straight = looks_of(index_of_looks(shown)).straight
    off = np.array([_off_bits(codes, straight).mean() for codes in looks_of(index_of_looks(turned)).codes])
    assert off.argmin() == 1 + turn
    assert off.min() < 0.2 * N_BITS
    assert off[1] > 0.4 * N_BITS


def test_codes_are_the_same_everywhere() -> None:
    """Files of one machine are read by another; a library's own random numbers may change."""
    corner = looks_module._directions(16)
    assert set(np.unique(corner)) == {-1.0, 1.0}
    assert "".join("+" if value > 0 else "-" for value in corner[0, :24]) == "--+++--+-++-+--+----++--"


def test_a_video_of_one_picture_has_no_looks() -> None:
    looks = looks_of(index_of_looks(np.ones((30, 8, 16))))
    assert looks.t_s.size == 0
    assert looks.codes.shape == (3, 0, N_BITS // 8)


@pytest.mark.parametrize("n", [0, 40])
def test_looks_come_back_as_they_were_saved(tmp_path: Path, n: int) -> None:
    index = index_of_looks(random_looks(40) if n else np.ones((40, 8, 16)))
    params = IndexParams(matcher=Matcher.ORB, n_features=300)
    looks = looks_of(replace(index, params=params, fingerprint="abc"))
    path = tmp_path / "looks.npz"
    save_looks(looks, path)
    loaded = load_looks(path)
    assert (loaded.params, loaded.fingerprint) == (params, "abc")
    np.testing.assert_array_equal(loaded.t_s, looks.t_s)
    np.testing.assert_array_equal(loaded.codes, looks.codes)


def test_looks_of_a_long_ride_take_little_room(tmp_path: Path) -> None:
    path = tmp_path / "looks.npz"
    save_looks(looks_of(index_of_looks(random_looks(3000))), path)
    assert path.stat().st_size < 150_000


def _saved(path: Path) -> Path:
    save_looks(looks_of(index_of_looks(random_looks(20))), path)
    return path


def test_what_is_no_file_of_looks_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "looks.npz"
    with pytest.raises(ArtifactError, match="index the run again"):
        load_looks(path)
    whole = _saved(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match="index the run again"):
        load_looks(path)
    path.write_bytes(whole)
    load_looks(path)
    monkeypatch.setattr(looks_module, "STAGE_VERSION", "another")
    with pytest.raises(ArtifactError, match="index the run again"):
        load_looks(path)


def test_parts_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    looks = looks_of(index_of_looks(random_looks(20)))
    for bad in (replace(looks, t_s=looks.t_s[1:]), replace(looks, codes=looks.codes[:, :, 1:])):
        path = tmp_path / "looks.npz"
        save_looks(bad, path)
        with pytest.raises(ArtifactError):
            load_looks(path)
    assert isinstance(looks, Looks)
