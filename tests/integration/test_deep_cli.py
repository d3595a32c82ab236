"""`--matcher aliked`, `disk` and `super`, with networks that a person brought along."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.networks import write_extractor, write_networks
from support.program import Outcome, listing, mtbsync
from support.rides import Rides, true_t_ref

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_networks(tmp_path_factory.mktemp("weights"), "disk")
    return write_networks(folder, "superpoint", n_channels=1)


@pytest.fixture(scope="module")
def done(rides: Rides, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sync --matcher disk` wrote. Not to be changed."""
    out = tmp_path_factory.mktemp("deep") / "out"
    outcome = _sync(rides, out, "--matcher", "disk", "--weights", weights, "-m", rides.markers)
    assert outcome.status == 0, outcome.err
    assert "The networks of --matcher disk run on the " in outcome.out
    return out


def _sync(rides: Rides, out: Path, *options: object) -> Outcome:
    return mtbsync("sync", "-r", rides.ref, "-n", rides.new, "-o", out, *options)


def test_two_rides_line_up_by_networks_brought_along(done: Path) -> None:
    with (done / "pairs_raw.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    verified = [row for row in rows if int(row["n_inliers"])]
    assert len(verified) > 0.8 * len(rows)
    off_s = [abs(float(row["t_ref"]) - true_t_ref(float(row["t_new"]))) for row in verified]
    # Pictures are a third of a second apart.
    assert np.median(off_s) < 0.06
    assert json.loads((done / "timewarp.json").read_text(encoding="utf-8"))["verdict"] == "accept"
    index = np.load(done / "new_index.npz")
    assert index["descriptors"].dtype == np.float16
    assert len(json.loads(str(index["about"]))["params"]["weights_sha256"]) == 64


def test_indexes_made_with_other_weights_are_made_anew(
    done: Path, rides: Rides, weights: Path, tmp_path: Path
) -> None:
    out, own = tmp_path / "out", Path(shutil.copytree(weights, tmp_path / "weights"))
    shutil.copytree(done, out)
    before = np.load(out / "new_index.npz")["descriptors"]
    assert _sync(rides, out, "--matcher", "disk", "--weights", own).status == 0
    perf = json.loads((out / "perf.json").read_text(encoding="utf-8"))
    assert "index_new" not in perf["stages_sec"]
    write_extractor(own / "disk.onnx", seed=7)
    assert _sync(rides, out, "--matcher", "disk", "--weights", own).status == 0
    perf = json.loads((out / "perf.json").read_text(encoding="utf-8"))
    assert "index_new" in perf["stages_sec"]
    assert not np.array_equal(np.load(out / "new_index.npz")["descriptors"][:100], before[:100])


def test_an_index_made_before_is_used_with_the_same_weights_only(
    rides: Rides, weights: Path, tmp_path: Path
) -> None:
    made = tmp_path / "ref_index.npz"
    brought = ("--matcher", "disk", "--weights", weights)
    assert mtbsync("index", "-r", rides.ref, "-o", made, *brought).status == 0
    assert _sync(rides, tmp_path / "out", "--index", made, *brought).status == 0
    own = Path(shutil.copytree(weights, tmp_path / "weights"))
    write_extractor(own / "disk.onnx", seed=7)
    for options in (("--matcher", "disk", "--weights", own), ("--matcher", "orb")):
        outcome = _sync(rides, tmp_path / "other", "--index", made, *options)
        assert outcome.status == 1
        assert "--matcher or --weights; give both commands the same." in outcome.err
        assert not (tmp_path / "other").exists()


def test_a_batch_hands_the_networks_to_each_run(rides: Rides, weights: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    shutil.copy(rides.new, runs)
    options = ("-r", rides.ref, "-o", tmp_path / "out", "--matcher", "disk", "--weights", weights)
    assert mtbsync("batch", runs, *options).status == 0
    assert mtbsync("batch", runs, *options, "--json").document["runs"][0]["done_before"] is True


def test_superpoint_says_what_its_weights_may_be_used_for(
    rides: Rides, weights: Path, tmp_path: Path
) -> None:
    outcome = mtbsync(
        "index", "-r", rides.ref, "-o", tmp_path / "i.npz", "--matcher", "super", "--weights", weights, "-q"
    )
    assert outcome.status == 0
    assert outcome.err == "SuperPoint's weights are licensed for non-commercial research only.\n"


@pytest.mark.parametrize("command", ["sync", "batch", "index"])
@pytest.mark.parametrize(
    ("with_folder", "sentence"),
    [
        (False, "needs aliked.onnx and aliked_lightglue.onnx, which do not come with mtbsync"),
        (True, "aliked.onnx, and there is no such file."),
    ],
)
def test_p10_without_weights_nothing_is_begun(
    command: str, with_folder: bool, sentence: str, rides: Rides, weights: Path, tmp_path: Path
) -> None:
    given = {
        "sync": ("-r", rides.ref, "-n", rides.new, "-o", tmp_path / "out"),
        "batch": (rides.folder, "-r", rides.ref, "-o", tmp_path / "out"),
        "index": ("-r", rides.ref, "-o", tmp_path / "i.npz"),
    }[command]
    folder = ("--weights", weights) if with_folder else ()
    outcome = mtbsync(command, *given, "--matcher", "aliked", *folder)
    assert outcome.status == 1
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1
    if with_folder:
        assert str(weights / "aliked.onnx") in outcome.err
    assert listing(tmp_path) == []


def test_p10_a_damaged_network_is_one_sentence(rides: Rides, weights: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(weights, tmp_path / "weights"))
    (own / "disk_lightglue.onnx").write_bytes((own / "disk_lightglue.onnx").read_bytes()[:-500])
    outcome = _sync(rides, tmp_path / "out", "--matcher", "disk", "--weights", own)
    assert outcome.status == 1
    assert "disk_lightglue.onnx is not a network that onnxruntime can read" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
