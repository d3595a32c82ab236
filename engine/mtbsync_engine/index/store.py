"""An index on disk: one .npz, readable by numpy alone."""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.files import replacing
from mtbsync_engine.model import Index, IndexParams, Matcher

# Raised whenever the same pictures would be described otherwise; older files are then made anew.
STAGE_VERSION = 3
_ARRAYS = ("t_s", "appearance", "points", "descriptors", "first_point")


def save_index(index: Index, path: Path) -> None:
    """Write `index`; an older file under that name is replaced whole.

    Raises:
        OutputError: it could not be written.
    """
    about = {
        "stage_version": STAGE_VERSION,
        "params": dataclasses.asdict(index.params),
        "fingerprint": index.fingerprint,
        "duration_s": index.duration_s,
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, about=json.dumps(about), **{name: getattr(index, name) for name in _ARRAYS})


def load_index(path: Path) -> Index:
    """Read an index that `save_index` wrote.

    Raises:
        ArtifactError: the file is missing, is no index, or another version of mtbsync wrote it.
    """
    try:
        stored = read_arrays(path)
        about = json.loads(str(stored["about"]))
        if about["stage_version"] != STAGE_VERSION:
            raise ArtifactError(
                f"{path} was made by another version of mtbsync; make it again with `mtbsync index`."
            )
        n_pictures, n_points = stored["t_s"].size, len(stored["points"])
        first_point = stored["first_point"]
        if not (
            first_point.shape == (n_pictures + 1,)
            and first_point[-1] == n_points == len(stored["descriptors"])
            and len(stored["appearance"]) == n_pictures
        ):
            raise ValueError("Its parts do not go together.")
        return Index(
            params=stored_params(about["params"]),
            fingerprint=about["fingerprint"],
            duration_s=about["duration_s"],
            **{name: stored[name] for name in _ARRAYS},
        )
    except FileNotFoundError:
        raise ArtifactError(f"There is no index at {path}; make one with `mtbsync index`.") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is not an index that mtbsync wrote; make it again with `mtbsync index`."
        ) from error


def stored_params(values: Mapping[str, Any]) -> IndexParams:
    """How an index was made, from the plain values that `dataclasses.asdict` gave and a file kept.

    Raises:
        KeyError, TypeError, ValueError: they are none.
    """
    return IndexParams(**{**values, "matcher": Matcher(values["matcher"])})


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of the .npz at `path`.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no .npz, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # Nothing in it is believed before all sums are right; then each array is read into its own place.
            if archive.testzip() is not None:
                raise ValueError(f"{path} is damaged.")
            arrays = {}
            for name in archive.namelist():
                with archive.open(name) as member:
                    arrays[name.removesuffix(".npy")] = np.lib.format.read_array(member, allow_pickle=False)
            return arrays
    except (EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is no .npz: {error}") from error
