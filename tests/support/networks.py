"""Small networks in ONNX files that take and give what exports of DISK, ALIKED, SuperPoint and LightGlue do.

Nothing in them is trained: blobs are key points, random filters describe them, and what is nearest in looks
and lies near is a match. That is enough to line two rendered rides up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_BLOB_PX = 9
_PATCH_PX = 17
_LEAST_RESPONSE = 0.01
_LEAST_LIKENESS = 0.85


def write_networks(folder: Path, stem: str, *, n_channels: int = 3, width: int = 32, seed: int = 0) -> Path:
    """Write `stem`.onnx and `stem`_lightglue.onnx for pictures of `n_channels` and descriptors of `width`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_extractor(folder / f"{stem}.onnx", n_channels=n_channels, width=width, seed=seed)
    write_matcher(folder / f"{stem}_lightglue.onnx", width=width)
    return folder


def write_extractor(
    path: Path,
    *,
    n_channels: int = 3,
    width: int = 32,
    seed: int = 0,
    size: tuple[int | str, int | str] = ("height", "width"),
    image: str = "image",
    number: int = TensorProto.FLOAT,
) -> None:
    """A network that finds blobs in pictures of `size` (H, W) and gives whole pixels, as DISK's does."""
    pad, far = _BLOB_PX // 2, _PATCH_PX // 2
    constants = {
        "border": np.array([0, 0, pad, pad] * 2),
        "blob": _blob()[None, None],
        "filters": _filters(width, seed),
        "least": np.float32(_LEAST_RESPONSE),
        "channel_axis": np.array([1]),
        "yx": np.array([2, 3]),
        "xy": np.array([3, 2]),
        "byx": np.array([0, 2, 3]),
        "batch_axis": np.array([0]),
    }
    nodes = [
        helper.make_node("Cast", [image], ["picture"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["picture"], ["gray"], axes=[1]),
        helper.make_node("Pad", ["gray", "border"], ["framed"], mode="edge"),
        helper.make_node("Conv", ["framed", "blob"], ["signed"]),
        helper.make_node("Abs", ["signed"], ["response"]),
        helper.make_node("MaxPool", ["response"], ["highest"], kernel_shape=[7, 7], pads=[3] * 4),
        helper.make_node("Equal", ["response", "highest"], ["is_peak"]),
        helper.make_node("Greater", ["response", "least"], ["is_strong"]),
        helper.make_node("And", ["is_peak", "is_strong"], ["is_found"]),
        helper.make_node("NonZero", ["is_found"], ["found"]),
        helper.make_node("Gather", ["found", "xy"], ["xy_rows"]),
        helper.make_node("Transpose", ["xy_rows"], ["points"], perm=[1, 0]),
        helper.make_node("Unsqueeze", ["points", "batch_axis"], ["keypoints"]),
        helper.make_node("Transpose", ["found"], ["at"], perm=[1, 0]),
        helper.make_node("GatherND", ["response", "at"], ["strength"]),
        helper.make_node("Unsqueeze", ["strength", "batch_axis"], ["scores"]),
        helper.make_node("Conv", ["signed", "filters"], ["map"], pads=[far] * 4),
        helper.make_node("Transpose", ["map"], ["map_last"], perm=[0, 2, 3, 1]),
        helper.make_node("Gather", ["at", "byx"], ["at_pixel"], axis=1),
        helper.make_node("GatherND", ["map_last", "at_pixel"], ["looks"]),
        helper.make_node("LpNormalization", ["looks"], ["unit"], axis=-1, p=2),
        helper.make_node("Unsqueeze", ["unit", "batch_axis"], ["descriptors"]),
    ]
    _save(
        path,
        nodes,
        constants,
        [helper.make_tensor_value_info(image, number, [1, n_channels, *size])],
        [
            helper.make_tensor_value_info("keypoints", TensorProto.INT64, [1, "n", 2]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, "n"]),
            helper.make_tensor_value_info("descriptors", TensorProto.FLOAT, [1, "n", width]),
        ],
    )


def write_matcher(path: Path, *, width: int = 32) -> None:
    """A network that matches what is most alike of each other, where near counts as alike."""
    constants = {
        "least": np.float32(_LEAST_LIKENESS),
        "batch_axis": np.array([0]),
        "last_axis": np.array([2]),
        "zero": np.int64(0),
        "one": np.int64(1),
        "column": np.array([1]),
        "row": np.array([0]),
    }
    nodes = [
        helper.make_node("Transpose", ["desc1"], ["desc1_t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["desc0", "desc1_t"], ["alike"]),
        helper.make_node("Unsqueeze", ["kpts0", "last_axis"], ["from"]),
        helper.make_node("Unsqueeze", ["kpts1", "column"], ["to"]),
        helper.make_node("Sub", ["from", "to"], ["way"]),
        helper.make_node("ReduceSumSquare", ["way"], ["far"], axes=[3], keepdims=0),
        helper.make_node("Sub", ["alike", "far"], ["likeness_batch"]),
        helper.make_node("Squeeze", ["likeness_batch", "batch_axis"], ["likeness"]),
        helper.make_node("ArgMax", ["likeness"], ["best1"], axis=1, keepdims=0),
        helper.make_node("ArgMax", ["likeness"], ["best0"], axis=0, keepdims=0),
        helper.make_node("ReduceMax", ["likeness"], ["score"], axes=[1], keepdims=0),
        helper.make_node("Gather", ["best0", "best1"], ["back"]),
        helper.make_node("Shape", ["best1"], ["n_batch"]),
        helper.make_node("Squeeze", ["n_batch", "batch_axis"], ["n"]),
        helper.make_node("Range", ["zero", "n", "one"], ["rows"]),
        helper.make_node("Equal", ["back", "rows"], ["is_mutual"]),
        helper.make_node("Greater", ["score", "least"], ["is_alike"]),
        helper.make_node("And", ["is_mutual", "is_alike"], ["is_match"]),
        helper.make_node("Compress", ["rows", "is_match"], ["in0"], axis=0),
        helper.make_node("Compress", ["best1", "is_match"], ["in1"], axis=0),
        helper.make_node("Unsqueeze", ["in0", "column"], ["in0_column"]),
        helper.make_node("Unsqueeze", ["in1", "column"], ["in1_column"]),
        helper.make_node("Concat", ["in0_column", "in1_column"], ["matches0"], axis=1),
        helper.make_node("Compress", ["score", "is_match"], ["mscores0"], axis=0),
    ]
    _save(
        path,
        nodes,
        constants,
        [
            helper.make_tensor_value_info("kpts0", TensorProto.FLOAT, [1, "n0", 2]),
            helper.make_tensor_value_info("kpts1", TensorProto.FLOAT, [1, "n1", 2]),
            helper.make_tensor_value_info("desc0", TensorProto.FLOAT, [1, "n0", width]),
            helper.make_tensor_value_info("desc1", TensorProto.FLOAT, [1, "n1", width]),
        ],
        [
            helper.make_tensor_value_info("matches0", TensorProto.INT64, ["m", 2]),
            helper.make_tensor_value_info("mscores0", TensorProto.FLOAT, ["m"]),
        ],
    )


def _blob() -> NDArray[np.float32]:
    """A bright dot in darker surroundings: a difference of Gaussians."""
    axis = np.arange(_BLOB_PX) - _BLOB_PX // 2
    far = axis[:, None] ** 2 + axis**2
    narrow, wide = (np.exp(-far / (2 * sigma**2)) for sigma in (1.2, 2.4))
    return (narrow / narrow.sum() - wide / wide.sum()).astype(np.float32)


def _filters(n: int, seed: int) -> NDArray[np.float32]:
    """Smooth random patterns (n, 1, P, P), strongest in the middle."""
    axis = np.arange(_PATCH_PX) - _PATCH_PX // 2
    window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 4.0**2))
    coarse = np.random.default_rng(seed).standard_normal((n, 1, 6, 6))
    patterns = np.kron(coarse, np.ones((3, 3)))[..., :_PATCH_PX, :_PATCH_PX]
    return (window * patterns).astype(np.float32)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, NDArray[np.generic] | np.generic],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
) -> None:
    used = {name for node in nodes for name in node.input}
    tensors = [
        numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in used
    ]
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
