"""Key points matched by LightGlue (Lindenberger et al. 2023), a network that a person brings along.

It looks at all key points of two pictures at once, where they lie and what they look like. The file is as
the project LightGlue-ONNX exports it: it takes `kpts0`, `kpts1` (1, N, 2) and `desc0`, `desc1` (1, N, B) and
gives `matches0` (M, 2), rows of the first picture's key points beside those of the second's, and `mscores0`
(M,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.errors import MatcherError
from mtbsync_engine.index.deep import Deep, load_extractor, network_paths
from mtbsync_engine.index.network import Network
from mtbsync_engine.model import KeyPoints, Matcher, Weights

# The picture that networks are tried on, and how many key points.
_TRIAL_PX = (256, 256)
_TRIAL_POINTS = 64


class LightGlue:
    """Matches key points of `matcher`'s extractor. Threads may share it.

    Raises:
        MatcherError: the network is missing, or is not what it should be.
    """

    def __init__(self, matcher: Matcher, weights: Weights | None) -> None:
        _, path = network_paths(matcher, weights)
        self.network = Network(
            path,
            ("kpts0", "kpts1", "desc0", "desc1"),
            ("matches0", "mscores0"),
            use_gpu=weights is None or weights.use_gpu,
        )

    def __call__(self, first: KeyPoints, second: KeyPoints) -> NDArray[np.intp]:
        """Matching rows (m, 2) of two pictures' key points.

        Raises:
            MatcherError: the network does not run on them.
        """
        (points0, descriptors0), (points1, descriptors1) = first, second
        if not (len(points0) and len(points1)):
            return np.zeros((0, 2), np.intp)
        matches, _ = self.network.run(
            kpts0=_centred(points0),
            kpts1=_centred(points1),
            desc0=descriptors0[None].astype(np.float32),
            desc1=descriptors1[None].astype(np.float32),
        )
        if matches.ndim != 2 or matches.shape[1] != 2:
            raise MatcherError(
                f"{self.network.path} gives matches of the shape {matches.shape} where (M, 2) is needed; "
                "export it once more."
            )
        return matches.astype(np.intp)


def try_networks(matcher: Matcher, weights: Weights | None) -> bool:
    """Run both networks on noise, so that what is wrong with them shows before any long work.

    Returns whether a graphics card runs them.

    Raises:
        MatcherError: one of them is missing, is not what it should be, or does not fit the other.
    """
    extractor, lightglue = load_extractor(matcher, weights), LightGlue(matcher, weights)
    noise = np.random.default_rng(0).integers(0, 256, _TRIAL_PX, np.uint8)
    found = Deep(extractor, _TRIAL_POINTS).describe(noise)
    lightglue((found.points, found.descriptors), (found.points, found.descriptors))
    return extractor.on_gpu and lightglue.network.on_gpu


def _centred(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points (n, 2) in units of a picture's longer side as (1, n, 2) from -1 to 1 along that side.

    Where the middle of the shorter side is does not matter: LightGlue only sees how points lie to each other.
    """
    return (2 * points - 1)[None]
