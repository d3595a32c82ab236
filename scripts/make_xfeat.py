"""Make the network that mtbsync comes with out of XFeat as its authors trained it.

    python scripts/make_xfeat.py ORIGINAL.onnx OUT.onnx

No weight changes; engine/mtbsync_engine/index/weights/README.md says what does. Needs the package `onnx`,
which nothing else here does.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

ORIGINAL_SHA256 = "4f01f2a9beaf3f1cab6e8427932036f773c5cf263ebf543086a4933faa75d236"
CELL_PX = 8
SUPPRESSED_PX = 5

# What tensors of the original are called.
GRAY_OF_RGB = "/ReduceMean_output_0"
NORMALISED = "/norm/InstanceNormalization_output_0"
UNFOLDED = "/Reshape_1_output_0"
AN_EIGHTH = "/block3/block3.2/layer/layer.2/Relu_output_0"
CELLS, POINT_LOGITS, RELIABILITY = "feats", "kpts", "heat"

INPUT = "gray"
SHAPES: dict[str, list[str | int]] = {
    "gray": ["n", 1, "h", "w"],
    "points": ["n", 1, "h", "w"],
    "descriptors": ["n", 64, "h8", "w8"],
}
OUTPUTS = [name for name in SHAPES if name != INPUT]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("original", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    content = arguments.original.read_bytes()
    if hashlib.sha256(content).hexdigest() != ORIGINAL_SHA256:
        print(f"{arguments.original} is not the network that this was written for.", file=sys.stderr)
        return 1
    made = rewritten(onnx.load_model_from_string(content))
    onnx.checker.check_model(made)
    arguments.out.write_bytes(made.SerializeToString())
    return 0


def rewritten(model: ModelProto) -> ModelProto:
    """`model` for one grey picture of any size, with what is always done to its results done in it."""
    graph = model.graph
    _take_gray(graph)
    _read_sizes_at_run_time(graph)
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([0]), "s0"),
            numpy_helper.from_array(np.array([CELL_PX**2]), "s64"),
            numpy_helper.from_array(np.array([1]), "sax"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
        ]
    )
    nodes = [n for n in graph.node if n.op_type != "ReduceMean" and UNFOLDED not in n.output]
    nodes += _unfolding() + _peaks() + _unit_descriptors()
    _replace(graph.input, [_tensor(INPUT)])
    _replace(graph.output, [_tensor(name) for name in OUTPUTS])
    _replace(graph.node, _leading_to(OUTPUTS, nodes))
    used = {name for node in graph.node for name in node.input}
    _replace(graph.initializer, [i for i in graph.initializer if i.name in used])
    _replace(graph.value_info, [])
    return model


def _take_gray(graph: GraphProto) -> None:
    """The original averages three channels first; the average is now what comes in."""
    for node in graph.node:
        for k, name in enumerate(node.input):
            if name == GRAY_OF_RGB:
                node.input[k] = INPUT


def _read_sizes_at_run_time(graph: GraphProto) -> None:
    """Coarser layers are enlarged to the size of the layer they join rather than to one written down."""
    for node in graph.node:
        if node.op_type == "Resize":
            _replace(node.input, [node.input[0], "", "", "eighth"])


def _unfolding() -> list[NodeProto]:
    """Cells' pixels side by side as channels: the original does so in hundreds of slices of one size."""
    return [
        helper.make_node("SpaceToDepth", [NORMALISED], [UNFOLDED], name="unfold", blocksize=CELL_PX),
        helper.make_node("Shape", [AN_EIGHTH], ["eighth"], name="eighth_size"),
    ]


def _peaks() -> list[NodeProto]:
    """How likely each pixel is a key point, times its cell's reliability; 0 where a neighbour is likelier."""
    margin = SUPPRESSED_PX // 2
    return [
        # The soft maximum over channels, which a Softmax there would lay out anew twice.
        helper.make_node("ReduceLogSumExp", [POINT_LOGITS], ["kp_total"], axes=[1]),
        helper.make_node("Sub", [POINT_LOGITS, "kp_total"], ["kp_log_prob"]),
        helper.make_node("Exp", ["kp_log_prob"], ["kp_prob"]),
        # The last channel says that there is none in the cell.
        helper.make_node("Slice", ["kp_prob", "s0", "s64", "sax"], ["kp64"]),
        helper.make_node("DepthToSpace", ["kp64"], ["kp_heat"], blocksize=CELL_PX, mode="DCR"),
        helper.make_node("Shape", ["kp_heat"], ["full"]),
        helper.make_node(
            "Resize",
            [RELIABILITY, "", "", "full"],
            ["rel"],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        ),
        helper.make_node("Mul", ["kp_heat", "rel"], ["scores"]),
        helper.make_node(
            "MaxPool",
            ["kp_heat"],
            ["kp_max"],
            kernel_shape=[SUPPRESSED_PX] * 2,
            pads=[margin] * 4,
            strides=[1, 1],
        ),
        helper.make_node("Equal", ["kp_heat", "kp_max"], ["is_peak"]),
        helper.make_node("Where", ["is_peak", "scores", "zero"], ["points"]),
    ]


def _unit_descriptors() -> list[NodeProto]:
    return [helper.make_node("LpNormalization", [CELLS], ["descriptors"], axis=1, p=2)]


def _leading_to(outputs: list[str], nodes: list[NodeProto]) -> list[NodeProto]:
    """Those of `nodes` that `outputs` follow from, each after all that it follows from itself."""
    maker = {name: node for node in nodes for name in node.output}
    needed: list[NodeProto] = []
    seen: set[str] = set()

    def add(name: str) -> None:
        if name in maker and name not in seen:
            seen.add(name)
            for source in maker[name].input:
                add(source)
            needed.append(maker[name])

    for name in outputs:
        add(name)
    return needed


def _tensor(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPES[name])


def _replace(field: Any, values: Iterable[Any]) -> None:
    """Put `values` in the place of all that one of protobuf's repeated fields holds."""
    kept = list(values)
    del field[:]
    field.extend(kept)


if __name__ == "__main__":
    sys.exit(main())
