"""Key points by a network that a person brings along: ALIKED, DISK or SuperPoint, for LightGlue to match.

ALIKED: Zhao et al. 2023. DISK: Tyszkiewicz et al. 2020. SuperPoint: DeTone et al. 2018; its weights are for
non-commercial research only. Files are as the project LightGlue-ONNX exports them, extractor and matcher
apart: the extractor takes `image` (1, C, H, W) from 0 to 1, grey or in colour, and gives `keypoints`
(1, N, 2) in pixels, `scores` (1, N) and `descriptors` (1, N, B). Whole pictures are told by gradients.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.errors import MatcherError
from mtbsync_engine.index.appearance import describe_appearance, make_appearance_descriptor
from mtbsync_engine.index.description import Description
from mtbsync_engine.index.network import Network
from mtbsync_engine.model import Matcher, Weights

_STEMS = {Matcher.ALIKED: "aliked", Matcher.DISK: "disk", Matcher.SUPER: "superpoint"}
# ALIKED halves the picture five times, the others less often.
_MULTIPLE = 32


def network_paths(matcher: Matcher, weights: Weights | None) -> tuple[Path, Path]:
    """The files of `matcher`'s extractor of key points and of what matches these.

    Raises:
        MatcherError: there is no such file.
    """
    names = f"{_STEMS[matcher]}.onnx", f"{_STEMS[matcher]}_lightglue.onnx"
    if weights is None:
        raise MatcherError(
            f"--matcher {matcher} needs {names[0]} and {names[1]}, which do not come with mtbsync; "
            "name the folder they are in with --weights."
        )
    extractor, lightglue = (weights.folder / name for name in names)
    for path in (extractor, lightglue):
        if not path.is_file():
            raise MatcherError(f"--matcher {matcher} needs {path}, and there is no such file.")
    return extractor, lightglue


def weights_sha256(matcher: Matcher, weights: Weights | None) -> str:
    """What tells these networks from any others: a hash of their files.

    Raises:
        MatcherError: there is no such file, or it cannot be read.
    """
    found = hashlib.sha256()
    for network in network_paths(matcher, weights):
        # Large networks keep their numbers in a second file, whose name goes on.
        for path in sorted(network.parent.glob(f"{network.name}*")):
            try:
                with path.open("rb") as file:
                    found.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise MatcherError(f"{path} cannot be read: {error.strerror}.") from error
    return found.hexdigest()


def load_extractor(matcher: Matcher, weights: Weights | None) -> Network:
    """The network that finds key points.

    Raises:
        MatcherError: it is missing, or is not what it should be.
    """
    path, _ = network_paths(matcher, weights)
    network = Network(
        path, ("image",), ("keypoints", "scores", "descriptors"), use_gpu=weights is None or weights.use_gpu
    )
    shape = network.input_shape("image")
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise MatcherError(f"{path} does not take one grey or colour picture at a time; export it once more.")
    return network


class Deep:
    """Describes pictures by a network from `load_extractor`."""

    def __init__(self, network: Network, n_features: int) -> None:
        self._network = network
        _, self._n_channels, self._height, self._width = network.input_shape("image")
        self._n_features = n_features
        self._hog = make_appearance_descriptor()

    def describe(self, gray: NDArray[np.uint8]) -> Description:
        """Describe a grey picture (H, W).

        Raises:
            MatcherError: the network does not run, or gives something else than key points.
        """
        height, width = gray.shape
        size = self._width or _multiple(width), self._height or _multiple(height)
        picture = np.float32(1 / 255) * cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        image = np.repeat(picture[None, None], self._n_channels or 1, axis=1)
        keypoints, scores, descriptors = self._network.run(image=image.astype(np.float32))
        n = scores.size
        if keypoints.shape != (1, n, 2) or descriptors.shape[:2] != (1, n) or descriptors.ndim != 3:
            raise MatcherError(
                f"{self._network.path} gives keypoints {keypoints.shape}, scores {scores.shape} and "
                f"descriptors {descriptors.shape} where (1, N, 2), (1, N) and (1, N, B) are needed; "
                "export it once more."
            )
        best = np.argsort(-scores[0], kind="stable")[: self._n_features]
        to_picture = np.array([width / size[0], height / size[1]], np.float32) / max(gray.shape)
        return Description(
            look=describe_appearance(self._hog, gray),
            points=((keypoints[0, best] + 0.5) * to_picture).astype(np.float32),
            descriptors=descriptors[0, best].astype(np.float16),
        )


def _multiple(side_px: int) -> int:
    """The side of the picture that the network is given, where it takes any."""
    return _MULTIPLE * max(1, round(side_px / _MULTIPLE))
