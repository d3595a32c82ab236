"""Networks in ONNX files that a person brings along, run by onnxruntime.

A file from elsewhere may be anything, so what it takes and gives is checked before it is used. Where
onnxruntime does not load, importing this raises MatcherError.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.errors import MatcherError

try:
    from mtbsync_engine.index.runtime import ort, ort_errors
except ImportError as error:
    raise MatcherError(
        f"Networks need the package onnxruntime, which does not load here ({error}); "
        "install mtbsync again, or use --matcher orb."
    ) from None

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_FATAL = 4
# What onnxruntime raises has no root of its own.
_ORT_ERRORS = (
    ort_errors.EPFail,
    ort_errors.EngineError,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class Network:
    """A network that takes `inputs` and gives `outputs`, by name. Threads may share it.

    Raises:
        MatcherError: the file is no network, or one that takes or gives something else.
    """

    def __init__(self, path: Path, inputs: Sequence[str], outputs: Sequence[str], *, use_gpu: bool) -> None:
        self.path = path
        self._outputs = outputs
        self._session = _open(path, use_gpu=use_gpu)
        takes = {i.name: i for i in self._session.get_inputs()}
        gives = {o.name for o in self._session.get_outputs()}
        if (set(takes), gives) != (set(inputs), set(outputs)):
            raise MatcherError(
                f"{path} takes {_listed(takes)} and gives {_listed(gives)}, but a network is needed that "
                f"takes {_listed(inputs)} and gives {_listed(outputs)}; export it once more."
            )
        if any(i.type != "tensor(float)" for i in takes.values()):
            raise MatcherError(f"{path} does not take 32-bit numbers; export it once more without --fp16.")
        self._shapes = {name: tuple(i.shape) for name, i in takes.items()}

    @property
    def on_gpu(self) -> bool:
        """Whether a graphics card runs it."""
        return _CUDA in self._session.get_providers()

    def input_shape(self, name: str) -> tuple[int | None, ...]:
        """The shape of an input, with None for what the file leaves open."""
        return tuple(side if isinstance(side, int) else None for side in self._shapes[name])

    def run(self, **arrays: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Outputs in the order in which they were asked for.

        Raises:
            MatcherError: it cannot be run on that.
        """
        try:
            found: list[NDArray[Any]] = self._session.run(list(self._outputs), arrays)
        except _ORT_ERRORS as error:
            raise MatcherError(f"{self.path} does not run here ({_first_line(error)}).") from error
        return found


def _open(path: Path, *, use_gpu: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    # Pictures are worked on side by side.
    options.intra_op_num_threads = 1
    options.log_severity_level = _FATAL
    has_gpu = use_gpu and _CUDA in ort.get_available_providers()
    # onnxruntime prints what it does when CUDA does not load, and standard output is for results.
    with redirect_stdout(io.StringIO()):
        if has_gpu:
            ort.preload_dlls()
        try:
            session = ort.InferenceSession(path, options, providers=[_CUDA, _CPU] if has_gpu else [_CPU])
        except _ORT_ERRORS as error:
            raise MatcherError(
                f"{path} is not a network that onnxruntime can read ({_first_line(error)})."
            ) from error
    session.disable_fallback()
    return session


def _listed(names: Sequence[str] | set[str] | dict[str, Any]) -> str:
    return ", ".join(sorted(names))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(". ")
