from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from mtbsync_daemon.figure import HEIGHT_PX, WIDTH_PX, Comparison, draw, layout
from mtbsync_engine.judge import NINE_IN_TEN
from mtbsync_engine.model import (
    Decision,
    LikenessImage,
    Marker,
    MatchedPairs,
    TimeMap,
    TransferredMarker,
    Verdict,
)

ACCEPTED = Verdict(Decision.ACCEPT, ("The runs line up well.", "There is a second reason."))


def steady_map(slope: float = 1.0, support: tuple[tuple[float, float], ...] = ((1.0, 59.0),)) -> TimeMap:
    t_new = np.linspace(0.0, 60.0, 61)
    return TimeMap(t_new, 5.0 + slope * t_new, np.full(61, 0.05), support)


def map_with_pace(pace: np.ndarray) -> TimeMap:
    """A map with one pace for each second."""
    t_ref = np.concatenate([[0.0], np.cumsum(pace)])
    return TimeMap(np.arange(pace.size + 1.0), t_ref, np.full(t_ref.size, 0.05), ((0.0, float(pace.size)),))


def likeness_of(time_map: TimeMap) -> LikenessImage:
    t_new, t_ref = np.linspace(0.0, 60.0, 121), np.linspace(0.0, 70.0, 141)
    z = np.random.default_rng(0).normal(size=(121, 141))
    off = t_ref - time_map.to_ref(t_new)[:, np.newaxis]
    return LikenessImage((z + 5.0 * (np.abs(off) < 0.6)).astype(np.float16), t_new, t_ref)


def sightings_of(time_map: TimeMap, n: int = 100) -> MatchedPairs:
    t_new = np.linspace(2.0, 58.0, n)
    off_s = np.random.default_rng(1).normal(scale=0.05, size=n)
    n_inliers = np.where(np.arange(n) % 4 > 0, 30, 0)
    return MatchedPairs(t_new, time_map.to_ref(t_new) + off_s, np.full(n, 0.05), np.full(n, 5.0), n_inliers)


def placed(name: str, t_s: float, *, error_s: float = 0.1, review: bool = False) -> TransferredMarker:
    return TransferredMarker(Marker(name, name, t_s), t_s - 5.0, 0.9, error_s, review)


def not_placed(name: str, t_s: float) -> TransferredMarker:
    return TransferredMarker(Marker(name, name, t_s), None, 0.0, None, True, "the new run does not show it")


def whole_comparison() -> Comparison:
    time_map = steady_map()
    markers = (placed("Start", 8.0), placed("Drop", 20.0, review=True), not_placed("Berm", 2.0))
    pairs, likeness = sightings_of(time_map), likeness_of(time_map)
    return Comparison("ref.mp4", "new.mp4", time_map, ACCEPTED, likeness, pairs, markers)


def bare_comparison(time_map: TimeMap, *markers: TransferredMarker) -> Comparison:
    return Comparison("ref.mp4", "new.mp4", time_map, ACCEPTED, markers=markers)


def panels(figure: Figure) -> dict[str, Axes]:
    return {str(ax.get_label()): ax for ax in figure.axes}


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def key_of(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def error_bars(ax: Axes) -> dict[str, ErrorbarContainer]:
    return {c.get_label(): c for c in ax.containers if isinstance(c, ErrorbarContainer)}


def pixels(comparison: Comparison) -> np.ndarray:
    return imread(io.BytesIO(draw(comparison)), format="png")[..., :3]


def shown_texts(figure: Figure) -> list[Text]:
    """Every text that can be read in the drawn figure."""
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    unseen = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = axis.get_view_interval()
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if not low <= tick.get_loc() <= high:
                    unseen |= {tick.label1, tick.label2}
                unseen |= {label for label in (tick.label1, tick.label2) if not label.get_visible()}
    return [text for text in texts if text not in unseen]


def assert_readable(figure: Figure) -> None:
    """No text and no key runs over another or out of the picture."""
    keys = [legend for ax in figure.axes if (legend := ax.get_legend()) is not None]
    in_keys = {text for key in keys for text in key.get_texts()}
    boxes = [(t.get_text(), t.get_window_extent()) for t in shown_texts(figure) if t not in in_keys]
    boxes += [(f"key of {key.axes.get_label()}", key.get_window_extent()) for key in keys]
    assert len(boxes) > 10
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.x1 <= WIDTH_PX, text
        assert min(box.y0, HEIGHT_PX - box.y1) >= 0, text
    for (text_a, a), (text_b, b) in combinations(boxes, 2):
        apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
        assert apart, f"{text_a!r} runs over {text_b!r}"


# --- the picture as a whole ------------------------------------------------------------------------


def test_the_png_has_its_size_and_something_in_every_panel() -> None:
    comparison = whole_comparison()
    image = pixels(comparison)
    assert image.shape == (HEIGHT_PX, WIDTH_PX, 3)
    figure = layout(comparison)
    assert set(panels(figure)) == {"map", "markers", "sightings", "pace"}
    for name, ax in panels(figure).items():
        box = ax.get_window_extent()
        panel = image[HEIGHT_PX - int(box.y1) : HEIGHT_PX - int(box.y0), int(box.x0) : int(box.x1)]
        colourful = np.ptp(panel, axis=2) > 0.3
        assert colourful.sum() > 200, name


def test_the_same_comparison_gives_the_same_bytes() -> None:
    assert draw(whole_comparison()) == draw(whole_comparison())


def test_the_users_own_matplotlib_settings_neither_show_nor_change() -> None:
    expected = draw(whole_comparison())
    own = {"font.size": 30.0, "axes.facecolor": "red", "savefig.dpi": 50.0, "axes.grid": False}
    with mpl.rc_context(own):
        assert draw(whole_comparison()) == expected
        assert {name: mpl.rcParams[name] for name in own} == own


def test_pyplot_is_never_imported() -> None:
    program = (
        "import sys; from mtbsync_daemon.figure import Comparison, draw;"
        "from mtbsync_engine.model import Decision, TimeMap, Verdict;"
        "m = TimeMap([0, 9], [1, 11], [.1, .1], ((0, 9),));"
        "assert draw(Comparison('r', 'n', m, Verdict(Decision.ACCEPT, ('Fine.',))));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("decision", "word"),
    [
        (Decision.ACCEPT, "Accepted"),
        (Decision.REVIEW, "Needs review"),
        (Decision.REJECT, "Rejected"),
    ],
)
def test_the_header_names_both_runs_and_says_the_verdict_with_its_reasons(
    decision: Decision, word: str
) -> None:
    verdict = Verdict(decision, ("One thing matters most.", "Another matters less."))
    shown = words(layout(replace(whole_comparison(), verdict=verdict)))
    assert any(text.endswith(word) for text in shown)
    assert {"new.mp4", "ref.mp4", "One thing matters most. Another matters less."} <= set(shown)


def test_a_long_reason_is_wrapped_and_stays_in_the_picture() -> None:
    verdict = Verdict(Decision.REVIEW, ("The two tracks lie far apart from each other. " * 20,))
    figure = layout(replace(whole_comparison(), verdict=verdict))
    (reason,) = [text for text in words(figure) if text.startswith("The two tracks")]
    assert reason.count("\n") == 1
    assert reason.endswith("…")
    assert_readable(figure)


@pytest.mark.parametrize("has_likeness", [True, False])
@pytest.mark.parametrize("has_pairs", [True, False])
@pytest.mark.parametrize("has_markers", [True, False])
def test_what_is_missing_is_left_out_and_the_rest_fills_the_picture(
    has_likeness: bool, has_pairs: bool, has_markers: bool
) -> None:
    whole = whole_comparison()
    figure = layout(
        replace(
            whole,
            likeness=whole.likeness if has_likeness else None,
            pairs=whole.pairs if has_pairs else None,
            markers=whole.markers if has_markers else (),
        )
    )
    shown = panels(figure)
    expected = {"map": True, "pace": True, "sightings": has_pairs, "markers": has_markers}
    assert set(shown) == {name for name, is_there in expected.items() if is_there}
    assert any(isinstance(c, QuadMesh) for c in shown["map"].collections) == has_likeness
    assert (shown["map"].get_window_extent().x1 > 1500) == (not has_markers)
    assert (shown["pace"].get_window_extent().x0 < 200) == (not has_pairs)
    assert_readable(figure)


def test_sightings_that_the_map_says_nothing_about_make_no_empty_panel() -> None:
    time_map = steady_map(support=((1.0, 30.0),))
    pairs = MatchedPairs(
        np.array([40.0, 50.0]), np.array([45.0, 55.0]), np.full(2, 0.1), np.ones(2), np.array([0, 9])
    )
    assert "sightings" not in panels(layout(replace(bare_comparison(time_map), pairs=pairs)))


# --- the map ---------------------------------------------------------------------------------------


def test_the_new_run_goes_from_left_to_right_and_the_reference_upwards() -> None:
    likeness = LikenessImage(np.zeros((60, 70), np.float16), np.arange(60.0), np.arange(70.0))
    likeness.z[50, 20] = 6.0
    comparison = replace(bare_comparison(steady_map(support=((1.0, 2.0),))), likeness=likeness)
    ax = panels(layout(comparison))["map"]
    image = pixels(comparison)

    def brightness(t_new: float, t_ref: float) -> float:
        x, y = ax.transData.transform((t_new, t_ref))
        return float(image[HEIGHT_PX - round(y), round(x)].mean())

    assert brightness(50.0, 20.0) < 0.4
    assert brightness(20.0, 50.0) > 0.95
    assert brightness(50.0, 50.0) > 0.95


def test_the_map_is_left_open_where_nothing_supports_it() -> None:
    time_map = steady_map(support=((1.0, 20.0), (35.0, 59.0)))
    lines = panels(layout(bare_comparison(time_map)))["map"].get_lines()
    spans = [(line.get_xdata()[0], line.get_xdata()[-1]) for line in lines]
    assert spans == [(1.0, 20.0), (35.0, 59.0)]
    np.testing.assert_allclose(lines[1].get_ydata(), np.asarray(lines[1].get_xdata()) + 5.0)


@pytest.mark.parametrize("n_pictures", [1, 2])
def test_a_likeness_of_a_single_picture_can_be_drawn(n_pictures: int) -> None:
    t_s = np.arange(float(n_pictures))
    likeness = LikenessImage(np.zeros((n_pictures, 1), np.float16), t_s, np.array([3.0]))
    assert draw(replace(bare_comparison(steady_map()), likeness=likeness))


def test_a_stretch_that_is_one_instant_long_can_be_drawn() -> None:
    comparison = replace(whole_comparison(), time_map=steady_map(support=((10.0, 10.0), (20.0, 50.0))))
    assert_readable(layout(comparison))


# --- the sightings ---------------------------------------------------------------------------------


def test_sightings_stand_at_their_residual_and_verified_ones_are_told_apart() -> None:
    time_map = steady_map()
    t_new = np.array([10.0, 20.0, 30.0])
    off_s = np.array([0.02, -0.2, 0.4])
    pairs = MatchedPairs(
        t_new, time_map.to_ref(t_new) + off_s, np.full(3, 0.1), np.ones(3), np.array([0, 25, 0])
    )
    ax = panels(layout(replace(bare_comparison(time_map), pairs=pairs)))["sightings"]
    whole, verified = (line for line in ax.get_lines() if line.get_marker() == "o")
    np.testing.assert_allclose(whole.get_xydata(), [[10.0, 0.02], [30.0, 0.4]], atol=1e-9)
    np.testing.assert_allclose(verified.get_xydata(), [[20.0, -0.2]], atol=1e-9)
    assert whole.get_markerfacecolor() != verified.get_markerfacecolor()
    assert key_of(ax)[:2] == ["by whole picture", "by key points"]


def test_a_kind_of_sighting_that_does_not_occur_is_not_in_the_key() -> None:
    time_map = steady_map()
    pairs = replace(sightings_of(time_map), n_inliers=np.zeros(100, np.int64))
    ax = panels(layout(replace(bare_comparison(time_map), pairs=pairs)))["sightings"]
    assert "by whole picture" in key_of(ax)
    assert "by key points" not in key_of(ax)


def test_the_band_is_the_error_that_nine_in_ten_stay_below() -> None:
    t = np.array([0.0, 30.0, 60.0])
    time_map = TimeMap(t, t + 5.0, np.array([0.1, 0.5, 0.1]), ((0.0, 60.0),))
    ax = panels(layout(replace(bare_comparison(time_map), pairs=sightings_of(time_map))))["sightings"]
    low, high = (line for line in ax.get_lines() if line.get_marker() == "None")
    assert high.get_ydata().max() == pytest.approx(NINE_IN_TEN * 0.5, rel=1e-3)
    assert high.get_ydata()[0] == pytest.approx(NINE_IN_TEN * 0.1)
    np.testing.assert_array_equal(low.get_ydata(), -high.get_ydata())


def test_even_a_wild_sighting_is_in_view() -> None:
    whole = whole_comparison()
    assert whole.pairs is not None
    t_ref = whole.pairs.t_ref.copy()
    t_ref[30] += 400.0
    figure = layout(replace(whole, pairs=replace(whole.pairs, t_ref=t_ref)))
    assert panels(figure)["sightings"].get_ylim()[1] > 400.0
    assert_readable(figure)


def test_gaps_of_the_map_are_named_in_the_key_and_only_then() -> None:
    whole = whole_comparison()
    gap = replace(whole, time_map=steady_map(support=((0.0, 20.0), (35.0, 60.0))))
    none = replace(whole, time_map=steady_map(support=((0.0, 60.0),)))
    assert "no match" in key_of(panels(layout(gap))["sightings"])
    assert "no match" not in key_of(panels(layout(none))["sightings"])


# --- the pace --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slope", "word"), [(2.0, "twice as fast"), (1.0, "same pace"), (0.5, "half as fast")]
)
def test_the_pace_is_drawn_level_with_its_word(slope: float, word: str) -> None:
    figure = layout(bare_comparison(steady_map(slope)))
    ax = panels(figure)["pace"]
    figure.draw_without_rendering()
    place = {label.get_text(): y for label, y in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)}
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), place[word])


def test_a_stop_of_the_new_run_is_a_bar_along_the_bottom() -> None:
    pace = np.ones(60)
    pace[20:27] = 0.001
    ax = panels(layout(bare_comparison(map_with_pace(pace))))["pace"]
    assert key_of(ax) == ["new run stands"]
    (bar,) = [line for line in ax.get_lines() if list(line.get_ydata()) == [0, 0]]
    assert tuple(bar.get_xdata()) == (20.0, 27.0)


def test_a_stop_of_the_reference_is_a_wedge_at_the_top() -> None:
    pace = np.ones(60)
    pace[40] = 30.0
    ax = panels(layout(bare_comparison(map_with_pace(pace))))["pace"]
    assert key_of(ax) == ["reference stands"]
    (wedge,) = [line for line in ax.get_lines() if line.get_marker() == "v" and len(line.get_xdata())]
    np.testing.assert_allclose(wedge.get_xydata(), [[40.5, 1.0]])


def test_with_every_kind_of_event_all_keys_can_be_read() -> None:
    pace = np.ones(60)
    pace[10:15], pace[50] = 0.001, 30.0
    time_map = replace(map_with_pace(pace), support=((0.0, 20.0), (35.0, 60.0)))
    figure = layout(replace(whole_comparison(), time_map=time_map, pairs=sightings_of(time_map)))
    assert len(key_of(panels(figure)["pace"])) == 2
    assert len(key_of(panels(figure)["sightings"])) == 4
    assert len(key_of(panels(figure)["markers"])) == 3
    assert_readable(figure)


def test_a_run_without_stops_shows_none() -> None:
    assert key_of(panels(layout(bare_comparison(steady_map())))["pace"]) == []


# --- the markers -----------------------------------------------------------------------------------


def test_each_marker_has_its_error_bar_and_its_status() -> None:
    markers = (
        placed("Start", 8.0, error_s=0.05),
        placed("Drop", 20.0, error_s=0.8, review=True),
        placed("Wall", 30.0, error_s=0.2),
        not_placed("Berm", 2.0),
    )
    ax = panels(layout(bare_comparison(steady_map(), *markers)))["markers"]
    assert key_of(ax) == ["2 accepted", "1 to review", "1 not placed"]
    bars = error_bars(ax)
    dots = {status: bar[0].get_xydata().tolist() for status, bar in bars.items()}
    assert dots == {
        "accepted": [[0.0, 8.0], [0.0, 30.0]],
        "to review": [[0.0, 20.0]],
        "not placed": [[0.0, 2.0]],
    }
    accepted, review = (bars[s][2][0].get_segments() for s in ("accepted", "to review"))
    np.testing.assert_allclose(accepted, [[[-0.05, 8.0], [0.05, 8.0]], [[-0.2, 30.0], [0.2, 30.0]]])
    np.testing.assert_allclose(review, [[[-0.8, 20.0], [0.8, 20.0]]])
    looks = {(bar[0].get_marker(), bar[0].get_color()) for bar in bars.values()}
    assert len(looks) == 3


def test_markers_lie_on_the_map_with_their_error_and_those_not_placed_do_not() -> None:
    markers = (placed("Start", 8.0, error_s=0.5), not_placed("Berm", 2.0))
    bars = error_bars(panels(layout(bare_comparison(steady_map(), *markers)))["map"])
    assert set(bars) == {"accepted"}
    np.testing.assert_allclose(bars["accepted"][0].get_xydata(), [[3.0, 8.0]])
    np.testing.assert_allclose(bars["accepted"][2][0].get_segments(), [[[2.5, 8.0], [3.5, 8.0]]])


def test_a_markers_row_is_level_with_its_moment_on_the_map() -> None:
    shown = panels(layout(whole_comparison()))
    heights = [ax.transData.transform((0.0, 20.0))[1] for ax in (shown["map"], shown["markers"])]
    assert heights[0] == pytest.approx(heights[1])


def test_names_stand_beside_their_rows_with_the_reference_time() -> None:
    figure = layout(bare_comparison(steady_map(), placed("Root garden", 45.2)))
    time, name = (text for text in figure.findobj(Text) if text.get_text() in ("0:45", "Root garden"))
    assert time.get_window_extent().x1 < name.get_window_extent().x0
    row_px = panels(figure)["markers"].transData.transform((0.0, 45.2))[1]
    for text in (time, name):
        box = text.get_window_extent()
        assert box.y0 < row_px < box.y1
    assert_readable(figure)


def test_no_marker_placed_at_all_is_still_a_picture() -> None:
    figure = layout(bare_comparison(steady_map(), not_placed("Berm", 2.0), not_placed("Drop", 9.0)))
    assert key_of(panels(figure)["markers"]) == ["2 not placed"]
    assert_readable(figure)


def test_a_marker_beyond_the_references_end_is_in_view() -> None:
    figure = layout(bare_comparison(steady_map(), not_placed("Berm", 500.0)))
    assert panels(figure)["markers"].get_ylim()[1] >= 500.0
    assert_readable(figure)


@pytest.mark.parametrize("spread_s", [55.0, 1.0], ids=["along the trail", "within a second"])
def test_names_of_a_hundred_markers_are_thinned_until_all_can_be_read(spread_s: float) -> None:
    t_s = 6.0 + np.linspace(0.0, spread_s, 100)
    markers = [placed(f"Marker {k}", t, review=k % 20 == 7) for k, t in enumerate(t_s)]
    figure = layout(bare_comparison(steady_map(), *markers))
    assert_readable(figure)
    ax = panels(figure)["markers"]
    assert sum(len(bar[0].get_xdata()) for bar in error_bars(ax).values()) == 100
    named = [int(text.split()[1]) for text in words(figure) if text.startswith("Marker ")]
    assert 25 <= len(named) < 50
    assert {7, 27, 47, 67, 87} <= set(named)
    assert named == sorted(named)
    assert f"{len(named)} of 100 names shown" in words(figure)


def test_a_dozen_markers_all_keep_their_names() -> None:
    markers = [placed(f"Marker {k}", 30.0 + 0.01 * k) for k in range(12)]
    figure = layout(bare_comparison(steady_map(), *markers))
    assert sum(text.startswith("Marker ") for text in words(figure)) == 12
    assert not any("names shown" in text for text in words(figure))
    assert_readable(figure)


# --- texts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Чёрный лес",
        "黒い森のジャンプ",
        "غابة سوداء",
        "🚵 drop",
        "costs $5, or $10",
        "$\\frac{x$",
        "two\nlines\tand tabs",
        "broken \udcff name",
        "x" * 5000,
        "",
    ],
)
def test_any_name_can_be_drawn(name: str) -> None:
    assert draw(Comparison(name, name, steady_map(), ACCEPTED, markers=(placed(name, 20.0),)))


def test_long_names_are_shortened_in_the_middle() -> None:
    name = "GX010042" + "_and_more" * 100 + ".MP4"
    marker = placed("Left line " + "very " * 50 + "late", 20.0)
    figure = layout(replace(whole_comparison(), new_name=name, reference_name=name, markers=(marker,)))
    assert sum(text.startswith("GX010042") and text.endswith(".MP4") for text in words(figure)) == 2
    assert any(text.startswith("Left") and "…" in text and text.endswith("late") for text in words(figure))
    assert_readable(figure)


def test_a_dollar_is_a_dollar() -> None:
    figure = layout(bare_comparison(steady_map(), placed("costs $5, or $10", 20.0)))
    (label,) = [text for text in figure.findobj(Text) if "$5" in text.get_text()]
    assert not label.get_parse_math()


@pytest.mark.parametrize("minutes", [0.3, 1, 10, 60, 300])
def test_times_read_as_minutes_and_seconds_at_any_length(minutes: float) -> None:
    t_new = np.linspace(0.0, 60.0 * minutes, 50)
    time_map = TimeMap(t_new, 1.1 * t_new, np.full(50, 0.1), ((0.0, 60.0 * minutes),))
    pairs = MatchedPairs(t_new, 1.1 * t_new, np.full(50, 0.1), np.ones(50), np.zeros(50, np.int64))
    figure = layout(replace(bare_comparison(time_map, placed("Start", 10.0)), pairs=pairs))
    assert_readable(figure)
    for ax in (panels(figure)[name] for name in ("map", "sightings", "pace")):
        low, high = ax.get_xlim()
        labels = [t.label1.get_text() for t in ax.xaxis.get_major_ticks() if low <= t.get_loc() <= high]
        assert len(labels) >= 3
        assert all(re.fullmatch(r"\d+:[0-5]\d", label) for label in labels), labels
        assert ax.get_xlabel() == "Time in the new run (m:ss)"


def test_a_short_run_on_a_long_reference_keeps_all_texts_readable() -> None:
    t_new = np.linspace(0.2, 24.8, 80)
    time_map = TimeMap(t_new, 2000.0 + t_new, np.full(80, 4.0), ((0.2, 24.8),))
    t_ref = np.linspace(0.0, 3600.0, 400)
    likeness = LikenessImage(np.zeros((50, 400), np.float16), np.linspace(0.0, 25.0, 50), t_ref)
    markers = [placed(f"Marker {k}", 2001.0 + k, error_s=8.0, review=True) for k in range(20)]
    assert_readable(layout(replace(bare_comparison(time_map, *markers), likeness=likeness)))


def test_a_rejected_map_is_drawn_as_a_guess_and_not_like_a_result() -> None:
    rejected = replace(whole_comparison(), verdict=Verdict(Decision.REJECT, ("It is another trail.",)))
    shown = words(layout(rejected))
    assert "best guess, rejected" in shown
    assert "time map" not in shown
    assert "map's own 90 % error" not in shown
