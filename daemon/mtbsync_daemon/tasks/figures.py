"""What a sync looked at and how well its map fits that, in numbers that a page can draw."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.results import LIKENESS, PAIRS_RAW, TIMEWARP, WARP
from mtbsync_engine.artifacts import load_likeness, load_pairs_raw, load_warp
from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.model import FloatArray, LikenessImage, MatchedPairs, TimeMap

_MOST_MOMENTS = 400
_MOST_PAIRS = 3000
_DARKEST = 255
_QUALITY = (
    "verdict",
    "model",
    "inlier_frac",
    "verified_frac",
    "typical_inliers",
    "coverage",
    "margin",
    "expected_error_s",
)


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`results` is the sync's folder, `map` that of the map that counts, which may be the same.

    Gives `likeness`, `pairs`, `quality` (residuals in seconds of t_ref) and `witnesses`, the share of each.

    Raises:
        ArtifactError: the sync's results are gone.
    """
    results, map_folder = Path(params["results"]), Path(params["map"])
    with work.stage("Drawing"):
        try:
            noted = json.loads((map_folder / TIMEWARP).read_text(encoding="utf-8"))
            quality = {name: noted[name] for name in _QUALITY}
            quality |= {f"{name}_s": noted["residuals"][name] for name in ("p50", "p90")}
            time_map = load_warp(map_folder / WARP).time_map
            return {
                "likeness": _likeness(load_likeness(results / LIKENESS)),
                "pairs": _pairs(load_pairs_raw(results / PAIRS_RAW), time_map),
                "quality": quality,
                "witnesses": noted["shares"],
            }
        except (ArtifactError, OSError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                "The results of this sync are gone or damaged; have the run lined up again."
            ) from error


def _likeness(image: LikenessImage) -> dict[str, Any]:
    """At most 400 moments each way: `z`, base64 of n_new rows of n_ref bytes, of which 0 stands for `z_min`
    and 255 for `z_max`, in standard deviations above chance. A block keeps its highest value, or the path
    would fade."""
    z = image.z.astype(np.float32)
    rows, columns = (np.arange(0, n, -(-n // _MOST_MOMENTS)) for n in z.shape)
    z = np.maximum.reduceat(np.maximum.reduceat(z, rows, axis=0), columns, axis=1)
    z_min, z_max = float(z.min()), float(z.max())
    scaled = np.rint((z - z_min) * (_DARKEST / max(z_max - z_min, 1e-9))).astype(np.uint8)
    return {
        "n_new": rows.size,
        "n_ref": columns.size,
        "t_new": image.t_new[rows].tolist(),
        "t_ref": image.t_ref[columns].tolist(),
        "z": base64.b64encode(scaled.tobytes()).decode("ascii"),
        "z_min": z_min,
        "z_max": z_max,
    }


def _pairs(pairs: MatchedPairs, time_map: TimeMap) -> dict[str, Any]:
    """The sightings, or 3000 of them, evenly; `residual_s` as `Alignment.residual_s`."""
    n = len(pairs)
    kept = np.arange(n) if n <= _MOST_PAIRS else np.linspace(0, n - 1, _MOST_PAIRS).round().astype(np.int64)
    t_new, t_ref = pairs.t_new[kept], pairs.t_ref[kept]
    residual_s: FloatArray = t_ref - np.interp(t_new, time_map.t_new, time_map.t_ref)
    return {
        "t_new": t_new.tolist(),
        "t_ref": t_ref.tolist(),
        "residual_s": residual_s.tolist(),
        "n_inliers": pairs.n_inliers[kept].tolist(),
    }
