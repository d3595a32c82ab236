"""A run that was lined up is fitted again with what a person says, and its markers move."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtbsync_daemon.sync import SyncRequest, sync
from mtbsync_daemon.tasks.transfer import run
from mtbsync_engine.artifacts import load_fit, load_matching, load_timewarp_json, load_warp
from mtbsync_engine.evaluate import read_truth
from mtbsync_engine.model import TimeMap
from mtbsync_engine.pipeline import fit_and_judge

_SAMPLE = Path(__file__).parents[2] / "data" / "sample"


class _Work:
    n_threads = 1

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        yield lambda done: None

    def log(self, text: str) -> None:
        raise AssertionError(text)

    def clears(self, folder: Path) -> None:
        pass


@pytest.fixture(scope="module")
def _synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "out"
    sync(SyncRequest(_SAMPLE / "ref.mp4", _SAMPLE / "new.mp4", folder), _Work().stage)
    return folder


@pytest.fixture
def synced(_synced: Path, tmp_path: Path) -> Path:
    """The results of the sample's sync, in a folder of one's own."""
    return Path(shutil.copytree(_synced, tmp_path / "results"))


def _transfer(
    results: Path, anchors: list[list[float]], at_ref_s: float = 18.0, **params: Any
) -> dict[str, Any]:
    marker = {
        "marker_id": "rock",
        "name": "Rock",
        "t_s": at_ref_s,
        "duration_s": 0.0,
        "colour": "red",
        "comment": "",
        "extra": [["priority", "high"]],
    }
    asked = {
        "results": str(results),
        "anchors": anchors,
        "anchored": str(results / "anchored"),
        "markers": [marker],
        "is_accepted": False,
        "of": ["a sync", 3],
    }
    return run(asked | params, _Work())


def _map(folder: Path) -> TimeMap:
    return load_warp(folder / "warp.npz").time_map


def _true_ref(t_new_s: float) -> float:
    t_new, t_ref = read_truth(_SAMPLE / "truth_map.csv")
    return float(np.interp(t_new_s, t_new, t_ref))


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_what_a_sync_kept_is_fitted_again_to_the_same_map(synced: Path) -> None:
    params, gates, _ = load_fit(synced / "timewarp.json")
    again = fit_and_judge(load_matching(synced / "matching.npz"), params, gates)
    before = load_warp(synced / "warp.npz")
    for name in ("t_new", "t_ref", "se_s"):
        np.testing.assert_array_equal(getattr(again.alignment.time_map, name), getattr(before.time_map, name))
    assert again.alignment.time_map.support == before.time_map.support
    assert again.verdict == before.verdict


def test_without_anchors_the_syncs_own_map_counts(synced: Path) -> None:
    result = _transfer(synced, [])
    assert result["map"] is None
    assert result["of"] == ["a sync", 3]
    (marker,) = result["markers"]
    assert marker["t_s"] == pytest.approx(float(_map(synced).to_new(18.0)), abs=1e-5)
    assert (synced / "new_markers.csv").exists()
    assert not (synced / "anchored").exists()


def test_a_shifted_anchor_moves_the_map_near_it_and_not_everywhere(synced: Path) -> None:
    before, kept = _map(synced), _files(synced)
    t_ref_s = _true_ref(16.0) + 0.4
    result = _transfer(synced, [[16.0, t_ref_s]], at_ref_s=t_ref_s)
    assert result["map"] == str(synced / "anchored")
    (marker,) = result["markers"]
    assert marker["t_s"] == pytest.approx(16.0, abs=1e-5)
    assert marker["expected_error_s"] < 0.1
    assert not marker["needs_review"]
    after = _map(synced / "anchored")
    moved = np.abs(after.to_ref(np.arange(0, 33.3, 0.1)) - before.to_ref(np.arange(0, 33.3, 0.1)))
    far = np.abs(np.arange(0, 33.3, 0.1) - 16.0) > 5
    assert moved[~far].max() > 0.3
    assert moved[far].max() < 0.02
    assert _files(synced) == kept


def test_an_anchor_where_the_runs_are_at_the_same_place_changes_little(synced: Path) -> None:
    _transfer(synced, [[16.0, _true_ref(16.0)]])
    moments = np.arange(0, 33.3, 0.1)
    np.testing.assert_allclose(
        _map(synced / "anchored").to_ref(moments), _map(synced).to_ref(moments), rtol=0, atol=0.1
    )


def test_the_anchored_map_is_told_as_a_syncs_is_with_its_anchors(synced: Path) -> None:
    anchors = [[25.0, _true_ref(25.0)], [8.0, _true_ref(8.0)]]
    _transfer(synced, anchors)
    before, after = (
        json.loads((folder / "timewarp.json").read_text(encoding="utf-8"))
        for folder in (synced, synced / "anchored")
    )
    assert set(after) == set(before) | {"anchors"}
    assert after["anchors"] == anchors
    assert after["markers"] == {"n": 1, "placed": 1, "review": 0}
    assert after["verdict"] == "accept"
    assert after["shares"]["a person"] > 0
    for name in ("key", "new", "reference", "fit", "gates", "model"):
        assert after[name] == before[name]
    np.testing.assert_array_equal(
        load_timewarp_json(synced / "anchored" / "timewarp.json").time_map.t_ref,
        _map(synced / "anchored").t_ref,
    )
    # What was anchored once is fitted from the start with other anchors.
    _transfer(synced, anchors[:1])
    document = json.loads((synced / "anchored" / "timewarp.json").read_text(encoding="utf-8"))
    assert document["anchors"] == anchors[:1]


def test_an_anchored_map_is_trusted_as_far_as_its_verdict_or_a_person_says(synced: Path) -> None:
    timewarp = synced / "timewarp.json"
    document = json.loads(timewarp.read_text(encoding="utf-8"))
    document["gates"]["max_p90_s"] = 1e-6
    timewarp.write_text(json.dumps(document), encoding="utf-8")
    anchors = [[16.0, _true_ref(16.0)]]
    (unplaced,) = _transfer(synced, anchors)["markers"]
    assert unplaced["t_s"] is None
    (placed,) = _transfer(synced, anchors, is_accepted=True)["markers"]
    assert placed["t_s"] is not None


def test_p4_anchors_in_conflict_leave_the_map_of_before_which_goes_on_to_count(synced: Path) -> None:
    carried = _transfer(synced, [[16.0, _true_ref(16.0)]])["markers"]
    before = _files(synced / "anchored")
    told = _transfer(synced, [[16.0, _true_ref(16.0)], [20.0, 5.0]])
    assert "20.00 s of the new run at 5.00 s of the reference" in told["problem"]
    assert (told["map"], told["markers"]) == (str(synced / "anchored"), carried)
    assert _files(synced / "anchored") == before
    assert {path.name for path in (synced / "anchored").iterdir()} == set(before)


@pytest.mark.parametrize("name", ["matching.npz", "timewarp.json"])
def test_what_an_older_version_left_is_to_be_synced_again(synced: Path, name: str) -> None:
    (synced / name).unlink()
    own = _transfer(synced, [])["markers"]
    told = _transfer(synced, [[16.0, 18.0]])
    assert "sync this run again" in told["problem"]
    assert (told["map"], told["markers"]) == (None, own)
    assert not (synced / "anchored").exists()
