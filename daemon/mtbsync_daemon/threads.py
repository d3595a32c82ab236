"""How many threads the numerical libraries may use."""

from __future__ import annotations

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def thread_limits(n_threads: int) -> dict[str, str]:
    """The environment that holds numpy's libraries to `n_threads`; they read it once, when they load."""
    return dict.fromkeys(_VARIABLES, str(n_threads))
