"""What one step leaves on disk for the next: pairs, time maps, verdicts.

CSV and JSON are for people and scripts, npz for exactness; all are written whole or not at all.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import erf, erfinv

from mtbsync_engine.align.fit import FitParams
from mtbsync_engine.align.match import stretches_without_gap
from mtbsync_engine.errors import ArtifactError, MtbsyncError
from mtbsync_engine.files import replacing, write_text
from mtbsync_engine.index.store import read_arrays
from mtbsync_engine.judge import Gates, Judged
from mtbsync_engine.model import (
    Anchor,
    Decision,
    FloatArray,
    GpsUse,
    LikenessImage,
    MatchedPairs,
    Matching,
    Model,
    OtherPlace,
    Testimony,
    TimeMap,
    Verdict,
    Witness,
)

FORMAT_VERSION = 1
# A pair is trusted when it is likely to be within this of the truth, the same bound as a marker's.
_TRUSTED_WITHIN_S = 0.25
_CONFIDENCE_ROUNDING = 1e-5
# What of a matching, of its pairs and of a testimony is kept by name.
_NUMBERS = ("reach_s", "duration_new_s", "margin", "gps_separation_m")
_COLUMNS = ("t_new", "t_ref", "se_s", "score", "n_inliers")
_TESTIFIED = ("t_new_s", "t_ref_s", "se_s")


@dataclass(frozen=True, eq=False)
class TimeWarp:
    """A time map with what was decided of it: all that carrying markers across needs."""

    time_map: TimeMap
    model: Model
    verdict: Verdict

    @classmethod
    def of(cls, judged: Judged) -> TimeWarp:
        """What of `judged` is kept."""
        return cls(judged.alignment.time_map, judged.alignment.model, judged.verdict)


# --- pairs -----------------------------------------------------------------------------------------


def save_pairs_raw(pairs: MatchedPairs, path: Path) -> None:
    """Every sighting: `t_new,t_ref,score,n_inliers`."""
    columns = (pairs.t_new, pairs.t_ref, pairs.score, pairs.n_inliers)
    _save_csv(path, ("t_new", "t_ref", "score", "n_inliers"), zip(*columns, strict=True))


def load_pairs_raw(path: Path) -> MatchedPairs:
    """Read what `save_pairs_raw` wrote; errors are not kept there, so `se_s` is nan.

    Raises:
        ArtifactError: the file is missing or malformed.
    """
    columns = _load_columns(path, ("t_new", "t_ref", "score", "n_inliers"))
    nowhere = np.full_like(columns["t_new"], np.nan)
    n_inliers = columns["n_inliers"].astype(np.int64)
    return MatchedPairs(columns["t_new"], columns["t_ref"], nowhere, columns["score"], n_inliers)


def save_pairs(matching: Matching, path: Path) -> None:
    """The sightings that a time map is laid through: `t_new,t_ref,confidence,se_s,n_inliers,stretch`.

    `stretch` counts up wherever the two runs have nothing in common for a while.
    """
    pairs = matching.pairs
    starts = np.array([start for start, _ in matching.stretches])
    stretch = np.searchsorted(starts, pairs.t_new, side="right") - 1
    confidence = _confidence_of(pairs.se_s)
    columns = (pairs.t_new, pairs.t_ref, confidence, pairs.se_s, pairs.n_inliers, stretch)
    header = ("t_new", "t_ref", "confidence", "se_s", "n_inliers", "stretch")
    _save_csv(path, header, zip(*columns, strict=True))


def load_pairs(path: Path) -> Matching:
    """Read pairs that `save_pairs`, another program or a person wrote: `t_new,t_ref,confidence` at least.

    Where the columns `se_s`, `n_inliers` and `stretch` are missing, the error follows from the confidence,
    no pair counts as verified, and a gap of more than two seconds ends a stretch. Nothing is known of rivals
    or GPS, so the margin is nan.

    Raises:
        ArtifactError: the file is missing or malformed.
    """
    columns = _load_columns(path, ("t_new", "t_ref", "confidence"), optional=("se_s", "n_inliers", "stretch"))
    t_new, t_ref = columns["t_new"], columns["t_ref"]
    n_inliers = columns.get("n_inliers", np.zeros_like(t_new)).astype(np.int64)
    stretch = columns.get("stretch")
    if t_new.size == 0 or (np.diff(t_new) <= 0).any() or min(t_new[0], t_ref.min()) < 0:
        raise ArtifactError(f"{path} must hold pairs of times from 0 up, with t_new rising from row to row.")
    confidence = columns["confidence"]
    se_s = columns.get("se_s", _error_of(confidence))
    if (confidence < 0).any() or (confidence > 1).any() or (se_s <= 0).any():
        raise ArtifactError(f"In {path} confidence lies between 0 and 1, and errors above 0.")
    # The error says the same more finely, unless someone has changed their mind about the confidence.
    untouched = np.abs(_confidence_of(se_s) - confidence) < _CONFIDENCE_ROUNDING
    se_s = np.where(untouched, se_s, _error_of(confidence))
    spacing_s = float(np.median(np.diff(t_new))) if t_new.size > 1 else 0.0
    return Matching(
        pairs=MatchedPairs(t_new, t_ref, se_s, np.zeros_like(t_new), n_inliers),
        stretches=stretches_without_gap(t_new) if stretch is None else _stretches(t_new, stretch),
        reach_s=0.5 * spacing_s,
        duration_new_s=float(t_new[-1]) + 0.5 * spacing_s,
        margin=math.nan,
        gps=GpsUse.NONE,
        gps_separation_m=math.nan,
    )


def save_matching(matching: Matching, path: Path) -> None:
    """All that the runs have in common, as a .npz that `load_matching` reads back to the last bit."""
    about = {
        "format_version": FORMAT_VERSION,
        **{name: getattr(matching, name) for name in _NUMBERS},
        "stretches": matching.stretches,
        "gps": matching.gps.value,
        "elsewhere": [dataclasses.astuple(other) for other in matching.elsewhere],
        "anchors": [dataclasses.astuple(anchor) for anchor in matching.anchors],
        "witnesses": [testimony.witness.value for testimony in matching.testimonies],
    }
    arrays = {f"pairs_{name}": getattr(matching.pairs, name) for name in _COLUMNS}
    for k, testimony in enumerate(matching.testimonies):
        arrays |= {f"testimony_{k}_{name}": getattr(testimony, name) for name in _TESTIFIED}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, about=json.dumps(about), **arrays)


def load_matching(path: Path) -> Matching:
    """Read what `save_matching` wrote.

    Raises:
        ArtifactError: the file is missing or damaged, or another version of mtbsync wrote it.
    """
    try:
        stored = read_arrays(path)
        about = json.loads(str(stored["about"]))
        if about["format_version"] != FORMAT_VERSION:
            raise ValueError(about["format_version"])
        return Matching(
            pairs=MatchedPairs(*(stored[f"pairs_{name}"] for name in _COLUMNS)),
            stretches=tuple((float(begin), float(end)) for begin, end in about["stretches"]),
            gps=GpsUse(about["gps"]),
            testimonies=tuple(
                Testimony(Witness(name), *(stored[f"testimony_{k}_{column}"] for column in _TESTIFIED))
                for k, name in enumerate(about["witnesses"])
            ),
            elsewhere=tuple(OtherPlace(*other) for other in about["elsewhere"]),
            anchors=tuple(Anchor(*anchor) for anchor in about["anchors"]),
            **{name: float(about[name]) for name in _NUMBERS},
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is missing or damaged, or another version of mtbsync wrote it; sync this run again."
        ) from error


def _stretches(t_new: FloatArray, stretch: FloatArray) -> tuple[tuple[float, float], ...]:
    parts = np.split(t_new, np.flatnonzero(np.diff(stretch)) + 1)
    return tuple((float(part[0]), float(part[-1])) for part in parts)


def _confidence_of(se_s: FloatArray) -> FloatArray:
    """The probability that a sighting with that standard error is close enough to the truth to be trusted."""
    confidence: FloatArray = erf(_TRUSTED_WITHIN_S / (se_s * math.sqrt(2)))
    return confidence


def _error_of(confidence: FloatArray) -> FloatArray:
    """The standard error that `confidence` stands for, never below a hundredth of a second."""
    share = np.clip(confidence, 1e-3, 1 - 1e-9)
    error: FloatArray = np.maximum(_TRUSTED_WITHIN_S / (erfinv(share) * math.sqrt(2)), 0.01)
    return error


def _load_columns(
    path: Path, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, FloatArray]:
    """Finite numbers by column; an optional column is there only where the file has it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            found = reader.fieldnames or ()
            if not set(needed) <= set(found):
                raise KeyError(needed)
            wanted = [*needed, *(column for column in optional if column in found)]
            rows = [[float(row[column]) for column in wanted] for row in reader]
        if not np.isfinite(rows).all():
            raise ValueError("not finite")
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        listed = ", ".join(needed)
        raise ArtifactError(f"{path} is not a list of pairs; it needs {listed} as numbers.") from error
    values = np.array(rows, dtype=np.float64).reshape(-1, len(wanted))
    return dict(zip(wanted, values.T, strict=True))


def _save_csv(path: Path, header: tuple[str, ...], rows: Any) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{v:.6f}" if isinstance(v, float) else v for v in row] for row in rows)
    write_text(path, text.getvalue())


# --- time maps --------------------------------------------------------------------------------------


def save_timewarp_json(judged: Judged, about: Mapping[str, Any], path: Path) -> None:
    """The map, its quality and the verdict, as one JSON object; `about` says what was lined up with what."""
    write_text(path, json.dumps(timewarp_document(judged, about), indent=2) + "\n")


def timewarp_document(judged: Judged, about: Mapping[str, Any]) -> dict[str, Any]:
    """What `save_timewarp_json` writes, as plain values."""
    alignment, quality, verdict = judged.alignment, judged.quality, judged.verdict
    time_map, matching = alignment.time_map, alignment.matching
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "ok": verdict.decision is not Decision.REJECT,
        "verdict": verdict.decision.value,
        "reasons": list(verdict.reasons),
        "model": alignment.model.value,
    }
    if alignment.model is Model.AFFINE:
        a = float(np.diff(time_map.t_ref)[0] / np.diff(time_map.t_new)[0])
        document["params"] = {"a": a, "b": float(time_map.t_ref[0] - a * time_map.t_new[0])}
    document |= {
        "ppm": quality.ppm,
        "inlier_frac": quality.inlier_frac,
        "verified_frac": quality.verified_frac,
        "typical_inliers": quality.typical_inliers,
        "residuals": {
            "mae": quality.mae_s,
            "p50": quality.p50_s,
            "p90": quality.p90_s,
            "p95": quality.p95_s,
        },
        "coverage": quality.coverage,
        "margin": None if math.isnan(quality.margin) else quality.margin,
        "expected_error_s": quality.median_error_s,
        "gps": {
            "used": matching.gps.value,
            "separation_m": None if math.isnan(matching.gps_separation_m) else matching.gps_separation_m,
        },
        "shares": {witness.value: share for witness, share in matching.shares.items()},
        **about,
        "knots": {
            "t_new": time_map.t_new.tolist(),
            "t_ref": time_map.t_ref.tolist(),
            "se_s": time_map.se_s.tolist(),
            "support": [list(interval) for interval in time_map.support],
        },
    }
    return document


def load_timewarp_json(path: Path) -> TimeWarp:
    """Read a map that `save_timewarp_json` wrote.

    Raises:
        ArtifactError: the file is missing or malformed, or a newer mtbsync wrote it.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return _timewarp(document, document["knots"])
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError, MtbsyncError) as error:
        raise _no_time_map(path) from error


def load_fit(path: Path) -> tuple[FitParams, Gates, dict[str, Any]]:
    """How the map in a file that `save_timewarp_json` wrote was fitted and judged, if `about` said so, and
    the whole file as plain values.

    Raises:
        ArtifactError: the file is missing or malformed, or does not tell.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        params, gates = document["fit"], document["gates"]
        return FitParams(**{**params, "model": Model(params["model"])}), Gates(**gates), document
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} does not tell how its map was fitted; sync this run again.") from error


def save_warp(timewarp: TimeWarp, path: Path) -> None:
    """The map and the verdict as a .npz that `load_warp` reads back to the last bit."""
    about = {
        "format_version": FORMAT_VERSION,
        "model": timewarp.model.value,
        "verdict": timewarp.verdict.decision.value,
        "reasons": timewarp.verdict.reasons,
    }
    knots = {name: getattr(timewarp.time_map, name) for name in ("t_new", "t_ref", "se_s", "support")}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, about=json.dumps(about), **knots)


def load_warp(path: Path) -> TimeWarp:
    """Read a map that `save_warp` wrote.

    Raises:
        ArtifactError: the file is missing or malformed, or a newer mtbsync wrote it.
    """
    try:
        stored = read_arrays(path)
        return _timewarp(json.loads(str(stored["about"])), stored)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError, MtbsyncError) as error:
        raise _no_time_map(path) from error


def _no_time_map(path: Path) -> ArtifactError:
    return ArtifactError(
        f"{path} holds no time map that this version of mtbsync reads; make one with `mtbsync sync`."
    )


def _timewarp(about: Mapping[str, Any], knots: Mapping[str, Any]) -> TimeWarp:
    if about["format_version"] != FORMAT_VERSION:
        raise ValueError(about["format_version"])
    support = tuple((float(start), float(end)) for start, end in knots["support"])
    return TimeWarp(
        time_map=TimeMap(knots["t_new"], knots["t_ref"], knots["se_s"], support),
        model=Model(about["model"]),
        verdict=Verdict(Decision(about["verdict"]), tuple(about["reasons"])),
    )


# --- the picture of likeness --------------------------------------------------------------------------


def save_likeness(image: LikenessImage, path: Path) -> None:
    """The small likeness matrix, for drawing."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **dataclasses.asdict(image))


def load_likeness(path: Path) -> LikenessImage:
    """Read what `save_likeness` wrote.

    Raises:
        ArtifactError: the file is missing or malformed.
    """
    try:
        stored = read_arrays(path)
        return LikenessImage(stored["z"], stored["t_new"], stored["t_ref"])
    except (OSError, KeyError, ValueError) as error:
        raise ArtifactError(f"{path} is missing or damaged; run `mtbsync sync` again.") from error
