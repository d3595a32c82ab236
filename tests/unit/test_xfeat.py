"""The network that comes with mtbsync: that it is XFeat, and what happens where it cannot run."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from mtbsync_engine.index.describe import best_matcher
from mtbsync_engine.index.description import DESCRIPTOR_LENGTH
from mtbsync_engine.index.store import load_index
from mtbsync_engine.index.xfeat import XFeat, load_network
from mtbsync_engine.model import Matcher
from support.rides import Rides
from support.scene import trail_frame

_ROOT = Path(__file__).parents[2]
_WEIGHTS = files("mtbsync_engine.index") / "weights"
_ORIGINAL = _ROOT.parent / "shared" / "data" / "weights" / "xfeat.onnx"
_ORIGINAL_SIZE = (480, 256)
# A picture that is not scaled before the network looks at it.
_NETWORK_SIZE = (416, 224)
needs_original = pytest.mark.skipif(
    not _ORIGINAL.is_file(), reason="needs the original network, not part of the project"
)
# Runs a program where onnxruntime is not installed.
_WITHOUT_ONNXRUNTIME = "import sys; sys.modules['onnxruntime'] = None; "


def _gray(size: tuple[int, int] = _ORIGINAL_SIZE, position_m: float = 7.0) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(trail_frame(position_m, 3, size), cv2.COLOR_RGB2GRAY), np.uint8)


def _run(network: Path | bytes, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    session = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- what it is ---------------------------------------------------------------------------------------


def test_the_weights_are_what_their_readme_says() -> None:
    readme = (_WEIGHTS / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^\| `xfeat.onnx` \| `([0-9a-f]{64})` \|$", readme, re.MULTILINE)
    assert found is not None
    assert _sha256((_WEIGHTS / "xfeat.onnx").read_bytes()) == found[1]


def test_the_licence_of_the_weights_lies_beside_them_in_full() -> None:
    licence = (_WEIGHTS / "LICENSE.xfeat").read_text(encoding="utf-8")
    assert licence.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    for heading in ("1. Definitions.", "4. Redistribution.", "9. Accepting Warranty", "END OF TERMS AND"):
        assert heading in licence


def test_a_wheel_holds_the_weights_with_their_licence_and_what_was_changed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=_ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in ("xfeat.onnx", "LICENSE.xfeat", "README.md"):
            packed = archive.read(f"mtbsync_engine/index/weights/{name}")
            assert packed == (_WEIGHTS / name).read_bytes()


@needs_original
def test_it_gives_what_the_original_gives() -> None:
    gray = _gray().astype(np.float32)[None, None]
    original = _run(_ORIGINAL, {"image": np.repeat(gray, 3, axis=1)})
    ours = _run((_WEIGHTS / "xfeat.onnx").read_bytes(), {"gray": gray})
    cells = original["feats"] / np.linalg.norm(original["feats"], axis=1, keepdims=True)
    np.testing.assert_allclose(ours["descriptors"], cells, rtol=0, atol=1e-4)
    likely = _likely(original["kpts"])
    width, height = _ORIGINAL_SIZE
    reliable = cv2.resize(original["heat"][0, 0], _ORIGINAL_SIZE, interpolation=cv2.INTER_LINEAR)
    is_peak = likely == cv2.dilate(likely, np.ones((5, 5)))
    points = ours["points"][0, 0]
    assert points.shape == (height, width)
    # Two pixels that are all but equal may change places by rounding.
    assert ((points > 0) != is_peak).sum() <= 5
    both = (points > 0) & is_peak
    np.testing.assert_allclose(points[both], (likely * reliable)[both], rtol=0, atol=1e-4)
    assert (both & (points > 0.02)).sum() > 200


def _likely(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """How likely each pixel (H, W) is a key point: of a cell's 65 channels the last says that none is."""
    shares = np.exp(logits[0] - logits[0].max(axis=0))
    shares = (shares / shares.sum(axis=0))[:64]
    rows, columns = shares.shape[1:]
    pixels = shares.reshape(8, 8, rows, columns).transpose(2, 0, 3, 1)
    return np.ascontiguousarray(pixels.reshape(8 * rows, 8 * columns))


@needs_original
def test_it_is_made_anew_to_the_last_bit(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="only whoever makes the weights anew needs it")
    made = tmp_path / "made.onnx"
    program = _ROOT / "scripts" / "make_xfeat.py"
    subprocess.run([sys.executable, program, _ORIGINAL, made], check=True)
    assert made.read_bytes() == (_WEIGHTS / "xfeat.onnx").read_bytes()


def test_it_is_made_from_nothing_but_the_original(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="only whoever makes the weights anew needs it")
    another = tmp_path / "another.onnx"
    another.write_bytes((_WEIGHTS / "xfeat.onnx").read_bytes())
    command = [sys.executable, _ROOT / "scripts" / "make_xfeat.py", another, tmp_path / "made.onnx"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert done.stderr == f"{another} is not the network that this was written for.\n"
    assert not (tmp_path / "made.onnx").exists()


# --- what it finds --------------------------------------------------------------------------------------


def test_the_strongest_come_first() -> None:
    gray = _gray(_NETWORK_SIZE)
    inputs = {"gray": gray.astype(np.float32)[None, None]}
    scores = _run((_WEIGHTS / "xfeat.onnx").read_bytes(), inputs)["points"][0, 0]
    x, y = np.rint(XFeat(load_network(), 100).describe(gray).points.T * _NETWORK_SIZE[0] - 0.5).astype(int)
    assert scores[y, x].tolist() == sorted(scores[scores > 0].tolist(), reverse=True)[:100]


def test_key_points_keep_their_distance() -> None:
    points = XFeat(load_network(), 1000).describe(_gray(_NETWORK_SIZE)).points * _NETWORK_SIZE[0]
    apart = np.abs(points[:, None] - points[None]).max(axis=2)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 2.5


@pytest.mark.parametrize("shift_px", [(4, 0), (4, 4), (1, 0), (2, 3), (8, 0)], ids=str)
def test_a_point_looks_the_same_wherever_in_its_cell_it_lies(shift_px: tuple[int, int]) -> None:
    """Descriptors are those of cells of 8 pixels, and are mixed for what lies between the cells' middles."""
    wide = _gray((500, 276))
    described = [
        XFeat(load_network(), 400).describe(np.ascontiguousarray(wide[y : y + 256, x : x + 480]))
        for x, y in ((0, 0), shift_px)
    ]
    first, second = (d.points * 480 for d in described)
    off = np.abs(first[:, None] - (second + shift_px)[None]).max(axis=2)
    same_first, same_second = np.argwhere(off < 0.6).T
    assert same_first.size > 30
    numbers = [d.descriptors.astype(np.float64) / DESCRIPTOR_LENGTH for d in described]
    cosine = np.einsum("kd,kd->k", numbers[0][same_first], numbers[1][same_second])
    assert np.median(cosine) > 0.95


# --- where it cannot run ----------------------------------------------------------------------------------


def _without_onnxruntime(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _WITHOUT_ONNXRUNTIME + program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


_MTBSYNC = "from mtbsync_daemon.cli import main; sys.exit(main(sys.argv[1:]))"


def test_xfeat_is_the_best_that_runs_here() -> None:
    assert best_matcher() is Matcher.XFEAT


def test_without_onnxruntime_orb_is_the_best() -> None:
    done = _without_onnxruntime(
        "from mtbsync_engine.index.describe import best_matcher; print(best_matcher())"
    )
    assert (done.stdout, done.stderr) == ("orb\n", "")


def test_without_onnxruntime_rides_are_lined_up_by_orb(rides: Rides, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = _without_onnxruntime(_MTBSYNC, "sync", "-r", rides.ref, "-n", rides.new, "-o", out)
    assert done.returncode == 0, done.stderr
    for name in ("ref_index.npz", "new_index.npz"):
        assert load_index(out / name).params.matcher == Matcher.ORB


def test_without_onnxruntime_asking_for_xfeat_is_answered_in_a_sentence(rides: Rides, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = _without_onnxruntime(
        _MTBSYNC, "sync", "-r", rides.ref, "-n", rides.new, "-o", out, "--matcher", "xfeat"
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    sentence = " ".join(done.stderr.split())
    assert "XFeat needs the package onnxruntime" in sentence
    assert "install mtbsync again, or use --matcher orb." in sentence
    assert not out.exists()
