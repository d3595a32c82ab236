"""The page's time map and timecode are the engine's."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from playwright.sync_api import Page

from mtbsync_engine.model import TimeMap
from mtbsync_engine.timing import Rate, Timecode
from support.desk import Desk

N_SE = 1.645
# Both compute in 64 bits; an inverse on a nearly flat stretch magnifies what they round.
SAME_S = 1e-9
# With whether timecode drops numbers.
RATES = (
    (Fraction(24), False),
    (Fraction(25), False),
    (Fraction(30000, 1001), True),
    (Fraction(30000, 1001), False),
    (Fraction(60000, 1001), True),
    (Fraction(24000, 1001), False),
    (Fraction(120), False),
)

_ASK = """async ({ document, tNew, tRef, nSe }) => {
  const { TimeMap } = await import("/web/js/timemap.js");
  const map = new TimeMap(document);
  return {
    toRef: tNew.map((t) => map.toRef(t)),
    slope: tNew.map((t) => map.slope(t)),
    supports: tNew.map((t) => map.supports(t)),
    toNew: tRef.map((t) => map.toNew(t)),
    errorNew: tRef.map((t) => map.errorNew(t, nSe)),
  };
}"""
_TIMECODES = """async (wanted) => {
  const { timecodeAt } = await import("/web/js/timecode.js");
  return wanted.map(([start, frame, rate]) => timecodeAt(start, frame, rate));
}"""


def test_the_page_s_map_is_the_engine_s(desk: Desk, page: Page) -> None:
    _open(desk, page)
    rng = np.random.default_rng(5)
    for n_knots in (2, 2, 3, 3, 4, 5, 8, 20, 60, 300):
        time_map = _random_map(rng, n_knots)
        edges = np.ravel(time_map.support)
        t_new = np.concatenate(
            [edges, time_map.t_new, rng.uniform(time_map.t_new[0] - 1, time_map.t_new[-1] + 1, 100)]
        )
        t_ref = np.concatenate(
            [time_map.to_ref(edges), rng.uniform(time_map.t_ref[0] - 1, time_map.t_ref[-1] + 1, 100)]
        )
        found = page.evaluate(
            _ASK,
            {"document": _document(time_map), "tNew": t_new.tolist(), "tRef": t_ref.tolist(), "nSe": N_SE},
        )
        _same(found["toRef"], time_map.to_ref(t_new))
        _same(found["toNew"], time_map.to_new(t_ref))
        _same(found["errorNew"], time_map.error_new_s(t_ref, N_SE))
        np.testing.assert_allclose(found["slope"], time_map.slope(t_new), rtol=1e-7, atol=1e-9)
        assert found["supports"] == time_map.supports(t_new).tolist()
        assert np.isfinite(found["toNew"]).sum() > 2


def test_the_page_s_timecode_is_the_engine_s(desk: Desk, page: Page) -> None:
    _open(desk, page)
    rng = np.random.default_rng(6)
    wanted: list[tuple[str, int, float]] = []
    expected: list[str] = []
    for fps, drops in RATES:
        rate = Rate(fps)
        minutes = [k * 60 * rate.nominal + d for k in range(1, 22) for d in (-1, 0, 1)]
        for frame in [0, *minutes, *rng.integers(0, 10**7, 40).tolist()]:
            start = Timecode(int(rng.integers(0, 10**7)), rate, drops)
            wanted.append((str(start), frame, float(rate.fps)))
            expected.append(str(start + frame))
            wanted.append((str(Timecode(0, rate, drops)), frame, float(rate.fps)))
            expected.append(str(Timecode(frame, rate, drops)))
    assert page.evaluate(_TIMECODES, wanted) == expected


def _open(desk: Desk, page: Page) -> None:
    """Let the browser in, without opening the page itself."""
    page.request.get(desk.ask("POST", "/login-codes")["url"])
    page.goto(f"{desk.url}/web/js/timemap.js")


def _random_map(rng: np.random.Generator, n_knots: int) -> TimeMap:
    """Uneven knots, slopes from a stop to a rush, and one to three stretches of support."""
    dt_new = rng.uniform(0.05, 3.0, n_knots - 1)
    dt_ref = (
        dt_new
        * np.exp(rng.normal(0, 0.7, n_knots - 1))
        * rng.choice([1.0, 1e-3], n_knots - 1, p=[0.85, 0.15])
    )
    t_new = rng.uniform(0, 50) + np.concatenate([[0.0], np.cumsum(dt_new)])
    t_ref = rng.uniform(0, 50) + np.concatenate([[0.0], np.cumsum(dt_ref)])
    edges = np.sort(rng.uniform(t_new[0], t_new[-1], 2 * int(rng.integers(1, 4)))).tolist()
    support = tuple(zip(edges[::2], edges[1::2], strict=True))
    return TimeMap(t_new, t_ref, rng.uniform(0, 0.2, n_knots), support)


def _document(time_map: TimeMap) -> dict[str, Any]:
    return {
        "t_new": time_map.t_new.tolist(),
        "t_ref": time_map.t_ref.tolist(),
        "se_s": time_map.se_s.tolist(),
        "support": [list(stretch) for stretch in time_map.support],
    }


def _same(found: list[float], expected: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    np.testing.assert_allclose(np.array(found, dtype=float), expected, rtol=0, atol=SAME_S)
