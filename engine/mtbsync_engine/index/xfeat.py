"""Key points and whole pictures by XFeat, a small network (Potje et al. 2024), in onnxruntime.

It was trained to find the same place again in other light and other seasons. One pass over a picture gives
a map of descriptors, one for each 8 by 8 pixels, and how likely each pixel is to be found again. Key points
are the map's peaks; averaged over coarse cells, the same descriptors tell what the whole picture looks like.
"""

from __future__ import annotations

from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.index.description import DESCRIPTOR_LENGTH, Description
from mtbsync_engine.index.runtime import ort

# Pixels the network looks at, about: more finds finer detail and takes proportionally longer.
_PIXELS = 416 * 224
# The network halves the picture five times.
_MULTIPLE = 32
_CELL_PX = 8
_N_CHANNELS = 64
# What a peak is worth that is hardly ever found again.
_LEAST_SCORE = 0.02
# The whole picture's cells: columns from left to right, rows from top to bottom.
_COLUMNS, _ROWS = 8, 4


def load_network() -> ort.InferenceSession:
    """The network; threads may share it."""
    options = ort.SessionOptions()
    # Pictures are described side by side.
    options.intra_op_num_threads = 1
    weights = files("mtbsync_engine.index") / "weights" / "xfeat.onnx"
    return ort.InferenceSession(weights.read_bytes(), options, providers=["CPUExecutionProvider"])


class XFeat:
    """Describes pictures by `network`, the strongest `n_features` key points of each."""

    def __init__(self, network: ort.InferenceSession, n_features: int) -> None:
        self._network = network
        self._n_features = n_features

    def describe(self, gray: NDArray[np.uint8]) -> Description:
        """Describe a grey picture (H, W); descriptors are 64 numbers."""
        size = _network_size(gray.shape)
        shrinks = size[0] * size[1] < gray.size
        picture = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        scores, features = self._network.run(
            ["points", "descriptors"], {"gray": picture[None, None].astype(np.float32)}
        )
        cells = np.ascontiguousarray(features[0].transpose(1, 2, 0))
        xy = _strongest(scores[0, 0], self._n_features)
        sampled = np.rint(DESCRIPTOR_LENGTH * _sampled(cells, xy))
        height, width = gray.shape
        to_picture = np.array([width / size[0], height / size[1]], np.float32) / max(gray.shape)
        return Description(
            look=_look(cells),
            points=(xy + np.float32(0.5)) * to_picture,
            descriptors=np.clip(sampled, -127, 127).astype(np.int8),
        )


def _network_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Width and height that hold about as many pixels whatever the picture's shape (H, W)."""
    height, width = shape
    scale = (_PIXELS / (height * width)) ** 0.5
    multiples = (max(1, round(side * scale / _MULTIPLE)) for side in (width, height))
    network_width, network_height = (_MULTIPLE * n for n in multiples)
    return network_width, network_height


def _strongest(scores: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Where the `n` highest of `scores` (H, W) are, the highest first: x and y in pixels (n, 2)."""
    found = np.flatnonzero(scores > _LEAST_SCORE)
    found = found[np.argsort(-scores.flat[found], kind="stable")[:n]]
    y, x = np.divmod(found, scores.shape[1])
    return np.column_stack([x, y]).astype(np.float32)


def _sampled(cells: NDArray[np.float32], xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Descriptors (n, 64) of length 1 at pixels `xy` (n, 2), between those of the cells (h, w, 64) around."""
    height, width = cells.shape[:2]
    # A cell's descriptor stands for its middle.
    at = np.clip((xy + 0.5) / _CELL_PX - 0.5, 0, [width - 1, height - 1])
    x0, y0 = np.minimum(at.astype(np.intp), [width - 2, height - 2]).T
    right, down = (at - np.column_stack([x0, y0])).astype(np.float32).T[..., None]
    mixed = (1 - down) * ((1 - right) * cells[y0, x0] + right * cells[y0, x0 + 1]) + down * (
        (1 - right) * cells[y0 + 1, x0] + right * cells[y0 + 1, x0 + 1]
    )
    unit: NDArray[np.float32] = mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-6)
    return unit


def _look(cells: NDArray[np.float32]) -> NDArray[np.float16]:
    """Descriptors averaged over a coarse grid, (8, 256): columns from left to right.

    The square root keeps a single strong channel from speaking for all (Arandjelovic and Zisserman 2012).
    """
    # OpenCV averages exactly over cells that do not divide the map, four channels at a time.
    layers = [
        cv2.resize(
            np.ascontiguousarray(cells[..., k : k + 4]), (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA
        )
        for k in range(0, _N_CHANNELS, 4)
    ]
    grid = np.concatenate(layers, axis=2).transpose(1, 0, 2)
    return (np.sign(grid) * np.sqrt(np.abs(grid))).reshape(_COLUMNS, -1).astype(np.float16)
