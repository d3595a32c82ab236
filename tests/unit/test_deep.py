"""Networks that a person brings along: loaded, checked, run, and what they find."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from mtbsync_engine.align.lightglue import LightGlue, try_networks
from mtbsync_engine.align.matchers import matching
from mtbsync_engine.errors import MatcherError
from mtbsync_engine.index import network
from mtbsync_engine.index.deep import weights_sha256
from mtbsync_engine.index.describe import describers
from mtbsync_engine.model import IndexParams, Matcher, Weights
from support.networks import write_extractor, write_matcher, write_networks

STEMS = {Matcher.ALIKED: "aliked", Matcher.DISK: "disk", Matcher.SUPER: "superpoint"}
SHAPE = (270, 480)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks for every matcher: in colour but for SuperPoint, whose descriptors are the widest."""
    folder = tmp_path_factory.mktemp("weights")
    for stem in ("aliked", "disk"):
        write_networks(folder, stem)
    return write_networks(folder, "superpoint", n_channels=1, width=48)


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy of the networks, to be spoilt."""
    return Path(shutil.copytree(folder, tmp_path / "weights"))


def _texture(*, shift: tuple[int, int] = (0, 0)) -> NDArray[np.uint8]:
    """Random blots, moved by `shift` (x, y); what leaves the picture comes back on the other side."""
    noise = np.random.default_rng(1).uniform(0, 255, SHAPE)
    blots = cv2.GaussianBlur(noise, (0, 0), 3)
    gray = cv2.normalize(blots, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    return np.roll(gray, shift, axis=(1, 0))


@pytest.mark.parametrize("matcher", STEMS)
def test_dots_are_found_where_they_are_the_strongest_first(matcher: Matcher, folder: Path) -> None:
    picture = np.full(SHAPE, 60, np.uint8)
    at = [(100, 50), (300, 200), (460, 30)]
    for (x, y), gray in zip(at, (140, 250, 180), strict=True):
        cv2.circle(picture, (x, y), 2, gray, -1)
    describer = describers(IndexParams(matcher=matcher, n_features=3), Weights(folder))()
    found = describer.describe(picture)
    assert found.points.dtype == np.float32
    assert found.descriptors.dtype == np.float16
    assert found.descriptors.shape == (3, 48 if matcher is Matcher.SUPER else 32)
    # In units of the longer side, and the network's picture is a little larger than this one.
    expected = (np.array(at)[[1, 2, 0]] + 0.5) / SHAPE[1]
    np.testing.assert_allclose(found.points, expected, atol=1.5 / SHAPE[1])
    np.testing.assert_allclose(np.linalg.norm(found.descriptors.astype(float), axis=1), 1, atol=2e-3)


@pytest.mark.parametrize("matcher", STEMS)
def test_what_matches_is_the_same_blot(matcher: Matcher, folder: Path) -> None:
    describer = describers(IndexParams(matcher=matcher), Weights(folder))()
    first, second = describer.describe(_texture()), describer.describe(_texture(shift=(24, -16)))
    match = matching(matcher, 0.8, Weights(folder))
    rows = match((first.points, first.descriptors), (second.points, second.descriptors))
    assert len(rows) > 50
    moved = (second.points[rows[:, 1]] - first.points[rows[:, 0]]) * SHAPE[1]
    assert np.mean(np.abs(moved - [24, -16]).max(axis=1) < 2) > 0.9


def test_key_points_reach_the_matcher_from_minus_one_to_one_along_the_longer_side(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, NDArray[np.float32]] = {}
    run = network.Network.run

    def note(self: network.Network, **arrays: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        seen.update(arrays)
        return run(self, **arrays)

    monkeypatch.setattr(network.Network, "run", note)
    points = np.array([[0.0, 0.0], [1.0, 0.5], [0.25, 0.125]], np.float32)
    looks = np.eye(3, 32, dtype=np.float16)
    rows = LightGlue(Matcher.DISK, Weights(folder))((points, looks), (points[::-1], looks[::-1]))
    assert rows.tolist() == [[0, 2], [1, 1], [2, 0]]
    assert seen["kpts0"].tolist() == [[[-1, -1], [1, 0], [-0.5, -0.75]]]
    assert seen["kpts0"].dtype == seen["desc0"].dtype == np.float32
    assert seen["desc1"].shape == (1, 3, 32)


def test_a_picture_without_key_points_matches_nothing(folder: Path) -> None:
    describer = describers(IndexParams(matcher=Matcher.DISK), Weights(folder))()
    nothing, something = describer.describe(np.full(SHAPE, 90, np.uint8)), describer.describe(_texture())
    assert nothing.points.shape == (0, 2)
    assert nothing.descriptors.shape == (0, 32)
    match = matching(Matcher.DISK, 0.8, Weights(folder))
    both = (nothing.points, nothing.descriptors), (something.points, something.descriptors)
    assert match(*both).shape == match(*both[::-1]).shape == (0, 2)


def test_a_network_for_pictures_of_one_size_gets_them_in_that_size(own: Path) -> None:
    write_extractor(own / "disk.onnx", size=(128, 256))
    describer = describers(IndexParams(matcher=Matcher.DISK, n_features=1), Weights(own))()
    picture = np.full(SHAPE, 60, np.uint8)
    cv2.circle(picture, (360, 90), 4, 250, -1)
    np.testing.assert_allclose(describer.describe(picture).points * SHAPE[1], [[360.5, 90.5]], atol=2)


def test_networks_are_told_apart_by_what_is_in_them(own: Path) -> None:
    before = weights_sha256(Matcher.DISK, Weights(own))
    assert weights_sha256(Matcher.DISK, Weights(own, use_gpu=False)) == before
    assert weights_sha256(Matcher.SUPER, Weights(own)) != before
    for change in (
        lambda: write_extractor(own / "disk.onnx", seed=1),
        lambda: (own / "disk_lightglue.onnx").write_bytes(b"another"),
        lambda: (own / "disk.onnx.data").write_bytes(b"numbers kept apart"),
    ):
        change()
        after = weights_sha256(Matcher.DISK, Weights(own))
        assert after != before
        before = after


@pytest.mark.parametrize("matcher", STEMS)
def test_networks_that_fit_each_other_pass_the_trial(matcher: Matcher, folder: Path) -> None:
    on_gpu = try_networks(matcher, Weights(folder, use_gpu=False))
    assert on_gpu is False


def _spoil(what: str, own: Path) -> None:
    extractor, matcher = own / "disk.onnx", own / "disk_lightglue.onnx"
    match what:
        case "missing extractor":
            extractor.unlink()
        case "missing matcher":
            matcher.unlink()
        case "folder":
            extractor.unlink()
            extractor.mkdir()
        case "empty":
            extractor.write_bytes(b"")
        case "text":
            matcher.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
        case "truncated":
            extractor.write_bytes(extractor.read_bytes()[:-2000])
        case "another input":
            write_extractor(extractor, image="images")
        case "matcher for extractor":
            shutil.copy(matcher, extractor)
        case "16-bit":
            write_extractor(extractor, number=TensorProto.FLOAT16)
        case "two channels":
            write_extractor(extractor, n_channels=2)
        case "another width":
            write_matcher(matcher, width=48)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("missing extractor", r"--matcher disk needs .*disk\.onnx, and there is no such file\."),
        ("missing matcher", r"--matcher disk needs .*disk_lightglue\.onnx, and there is no such file\."),
        ("folder", r"--matcher disk needs .*disk\.onnx, and there is no such file\."),
        ("empty", r"disk\.onnx is not a network that onnxruntime can read \(.+\)\."),
        ("text", r"disk_lightglue\.onnx is not a network that onnxruntime can read \(.+\)\."),
        ("truncated", r"disk\.onnx is not a network that onnxruntime can read \(.+\)\."),
        (
            "another input",
            r"disk\.onnx takes images and gives .*, but a network is needed that takes image and",
        ),
        (
            "matcher for extractor",
            r"disk\.onnx takes desc0, desc1, kpts0, kpts1 and gives matches0, mscores0, but",
        ),
        ("16-bit", r"disk\.onnx does not take 32-bit numbers; export it once more without --fp16\."),
        ("two channels", r"disk\.onnx does not take one grey or colour picture at a time"),
        ("another width", r"disk_lightglue\.onnx does not run here \(.+\)\."),
    ],
)
def test_p10_what_is_wrong_with_a_network_is_one_sentence(what: str, sentence: str, own: Path) -> None:
    try_networks(Matcher.DISK, Weights(own))
    _spoil(what, own)
    with pytest.raises(MatcherError, match=sentence) as caught:
        try_networks(Matcher.DISK, Weights(own))
    assert "\n" not in str(caught.value)


def test_without_a_folder_the_files_that_are_needed_are_named() -> None:
    with pytest.raises(
        MatcherError, match=r"needs superpoint\.onnx and superpoint_lightglue\.onnx.*--weights"
    ):
        try_networks(Matcher.SUPER, None)


def test_without_onnxruntime_the_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "mtbsync_engine.index.runtime")
    with pytest.raises(MatcherError, match="need the package onnxruntime"):
        importlib.reload(network)
    monkeypatch.undo()
    importlib.reload(network)
