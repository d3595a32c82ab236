"""Who describes pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2

from mtbsync_engine.errors import MatcherError
from mtbsync_engine.index.description import Describer
from mtbsync_engine.index.orb import Orb
from mtbsync_engine.model import IndexParams, Matcher, Weights


def best_matcher() -> Matcher:
    """The best matcher that runs on this computer: XFeat, or ORB where its network cannot."""
    try:
        import mtbsync_engine.index.xfeat  # noqa: F401
    except ModuleNotFoundError:
        return Matcher.ORB
    return Matcher.XFEAT


def describers(params: IndexParams, weights: Weights | None = None) -> Callable[[], Describer]:
    """What makes describers as `params` ask for them, one for each thread.

    `weights` is where the networks of a matcher that needs them lie; these are loaded once for all.

    Raises:
        MatcherError: that does not run on this computer, or a network cannot be used.
    """
    match params.matcher:
        case Matcher.XFEAT:
            try:
                from mtbsync_engine.index.xfeat import XFeat, load_network
            except ImportError as error:
                raise MatcherError(
                    f"XFeat needs the package onnxruntime, which does not load here ({error}); "
                    "install mtbsync again, or use --matcher orb."
                ) from None
            return partial(XFeat, load_network(), params.n_features)
        case Matcher.ORB:
            return partial(Orb, params.n_features, clahe=params.clahe)
        case _:
            from mtbsync_engine.index.deep import Deep, load_extractor

            return partial(Deep, load_extractor(params.matcher, weights), params.n_features)


def limit_threads(n_threads: int) -> None:
    """Hold OpenCV to `n_threads` in this process; it has one pool for all it does."""
    cv2.setNumThreads(n_threads)
