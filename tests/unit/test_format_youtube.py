from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, export, youtube
from mtbsync_integrations.timeline import Reading, Timeline, TimelineMarker
from support.rates import RATES
from support.timelines import one_clip, point

PAL = Rate(Fraction(25))
HOUR = Timecode.parse("01:00:00:00", PAL)


def chapters(*seconds: int, start: Timecode = HOUR) -> Export:
    markers = (point(round(s * start.rate.fps), f"M{s}") for s in seconds)
    return export("youtube", one_clip(start, *markers, n_seconds=40_000))


def read(text: str, folder: Path, start: Timecode = HOUR) -> Timeline:
    path = folder / "run.txt"
    path.write_text(text, encoding="utf-8")
    return youtube.read(path, start=start).timeline


def test_chapters_read_exactly_like_this() -> None:
    assert chapters(0, 83, 3599, 3600, 36_061).files == (
        (".txt", "0:00 M0\n1:23 M83\n59:59 M3599\n1:00:00 M3600\n10:01:01 M36061\n"),
    )


def test_the_first_chapter_is_added_where_there_is_none() -> None:
    written = chapters(20, 40)
    assert written.files[0][1] == "0:00 Start\n0:20 M20\n0:40 M40\n"
    assert "Added, as the format needs a marker on the first frame: 'Start'." in written.losses


@pytest.mark.parametrize(
    ("seconds", "wrong"),
    [
        ((0, 20), "it wants 3 or more, and there are 2."),
        ((0, 20, 29, 60), "each lasts 10 s or more, and these come sooner: 'M29'."),
        ((0, 20, 20, 60), "each lasts 10 s or more, and these come sooner: 'M20'."),
        (
            (0, 9),
            "it wants 3 or more, and there are 2; each lasts 10 s or more, and these come sooner: 'M9'.",
        ),
    ],
)
def test_what_breaks_the_rules_costs_all_chapters_and_is_said(seconds: tuple[int, ...], wrong: str) -> None:
    assert chapters(*seconds).losses[-1] == f"YouTube will show no chapters at all: {wrong}"


def test_chapters_by_the_rules_lose_nothing_but_ids() -> None:
    timeline = one_clip(HOUR, point(0, "A"), point(250, "B"), point(500, "C"))
    assert export("youtube", timeline).losses == ()


def test_a_marker_goes_back_to_the_second_that_shows_it() -> None:
    written = export("youtube", one_clip(HOUR, point(0), point(274, "B"), point(275, "C")))
    assert written.files[0][1] == "0:00 A\n0:10 B\n0:11 C\n"
    assert "Moved back to a whole second: 'B'." in written.losses


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_every_second_comes_back_and_stays_where_it_is(rate: Rate, tmp_path: Path) -> None:
    start = Timecode(0, rate)
    ((_, text),) = chapters(*range(0, 4000, 7), start=start).files
    back = read(text, tmp_path, start)
    again = export("youtube", back)
    assert again.files == ((".txt", text),)
    assert not any(loss.startswith("Moved") for loss in again.losses)


def test_titles_are_made_fit_for_a_description() -> None:
    written = export(
        "youtube", one_clip(HOUR, point(0, "<Start>\ngate"), point(250, "- drop"), point(500, ""))
    )
    assert written.files[0][1] == "0:00 Start gate\n0:10 drop\n0:20 Chapter\n"


def test_a_description_is_read_with_whatever_stands_around_its_chapters(tmp_path: Path) -> None:
    text = "My ride\n\n0:00 - Start\n(1:05) Gap jump\n• 02:10: Rock garden\n1:00:00 End\nFilmed at 12:30pm\n"
    back = read(text, tmp_path)
    assert [(m.frame // 25, m.name) for m in back.markers] == [
        (0, "Start"),
        (65, "Gap jump"),
        (130, "Rock garden"),
        (3600, "End"),
    ]
    assert back.start == HOUR


def test_text_without_chapters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match=r"has no line such as '1:23 Rock garden'"):
        read("nothing here", tmp_path)


@given(text=st.text(st.sampled_from("0123456789: ab-\n<|")))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "run.txt"
    path.write_text(text, encoding="utf-8")
    with suppress(MarkerError):
        reading = youtube.read(path, start=HOUR)
        assert isinstance(reading, Reading)
        assert all(isinstance(marker, TimelineMarker) for marker in reading.timeline.markers)
