from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.timeline import Clip, Gap, Medium, Timeline, TimelineMarker, Track

PAL = Rate(Fraction(25))
MEDIUM = Medium("run.mp4", "file:///run.mp4", Timecode(777, PAL), 1000)
CUTS = Carries(n_tracks=None, medium=frozenset({"name", "url", "start", "rate", "n_frames"}))


def timeline(*items: Clip | Gap, markers: tuple[TimelineMarker, ...] = ()) -> Timeline:
    return Timeline("t", Timecode(0, PAL), (Track("Video 1", items),), markers)


def test_a_cut_between_two_frames_moves_to_the_nearer_and_says_so() -> None:
    whole, between = Clip("whole", 25, MEDIUM, Fraction(2)), Clip("between", 25, MEDIUM, Fraction(203, 100))
    fit, losses = fitted(timeline(whole, between), CUTS)
    assert [clip.source_in_s for _, clip in fit.tracks[0].clips()] == [2, Fraction(51, 25)]
    assert losses == ("Begin up to 0.010 s earlier or later in their footage: 'between'.",)


def test_the_furthest_of_several_cuts_of_one_name_is_told() -> None:
    far = Clip("run", 25, MEDIUM, Fraction(3), Fraction(34))
    near = Clip("run", 25, MEDIUM, Fraction(2))
    _, losses = fitted(timeline(far, near, far), replace(CUTS, speeds=True))
    # Steps of 34 / 25 s: the nearest to 3 s is 2.72 s.
    assert losses == ("Begin up to 0.280 s earlier or later in their footage: 'run' (2 times).",)


def test_a_timecode_that_is_left_out_is_no_other_moment() -> None:
    bare = replace(CUTS, medium=CUTS.medium - {"start"})
    _, losses = fitted(timeline(Clip("between", 25, MEDIUM, Fraction(203, 100))), bare)
    assert losses == (
        "Left out of media: timecodes.",
        "Begin up to 0.010 s earlier or later in their footage: 'between'.",
    )


def test_a_tape_keeps_the_moment_that_a_clip_begins_at() -> None:
    tape = Carries(n_tracks=1, timecode_only=True, medium=frozenset({"name", "start", "n_frames"}))
    fit, losses = fitted(timeline(Clip("a", 25, MEDIUM, Fraction(2))), tape)
    ((_, clip),) = fit.tracks[0].clips()
    assert clip.source_in_s == 2 + Fraction(777, 25)
    assert losses == ("Left out of media: paths.",)


def test_gaps_beside_each_other_are_one_and_none_is_at_the_end() -> None:
    title = Clip("title", 5, None)
    fit, losses = fitted(timeline(Gap(3), title, Gap(2), Clip("a", 25, MEDIUM), title), CUTS)
    assert [item.n_frames for item in fit.tracks[0].items] == [10, 25]
    assert losses == ("Left empty, as only its editor can make it: 'title' (2 times).",)


def test_nothing_is_said_of_a_timeline_that_fits() -> None:
    marker = TimelineMarker(3, name="A")
    fit, losses = fitted(timeline(Clip("a", 25, MEDIUM), markers=(marker,)), CUTS)
    assert losses == ()
    assert [(m.frame, m.name) for m in fit.markers] == [(3, "A")]


def test_a_marker_that_has_to_move_stays_within_the_clips_that_go() -> None:
    markers = (TimelineMarker(24, name="A"), TimelineMarker(24, name="B"))
    fit, losses = fitted(timeline(Clip("a", 25, MEDIUM), markers=markers), Carries(one_a_frame=True))
    assert [(m.frame, m.name) for m in fit.markers] == [(23, "B"), (24, "A")]
    assert losses == ("Moved, as another marker has the frame: 'B' 1 frame earlier.",)


def test_an_earlier_second_is_that_of_the_marker() -> None:
    markers = tuple(TimelineMarker(frame, name=str(frame)) for frame in (24, 25, 26))
    fit, losses = fitted(timeline(Clip("a", 50, MEDIUM), markers=markers), Carries(whole_seconds=True))
    assert [m.frame for m in fit.markers] == [0, 25, 25]
    assert losses == ("Moved back to a whole second: '24', '26'.",)


def test_a_track_that_is_left_empty_goes_before_tracks_are_counted() -> None:
    titles, run = Track("Titles", (Clip("title", 50, None),)), Track("Run", (Clip("a", 50, MEDIUM),))
    one = Carries(n_tracks=1, medium=CUTS.medium)
    fit, losses = fitted(Timeline("t", Timecode(0, PAL), (titles, run)), one)
    assert [clip.name for _, clip in fit.tracks[0].clips()] == ["a"]
    assert losses == (
        "Left empty, as only its editor can make it: 'title'.",
        "Names of tracks left out: 'Run'.",
    )


def test_clip_markers_keep_apart_as_the_timeline_s_do() -> None:
    same = (TimelineMarker(5, name="A"), TimelineMarker(5, name="B"))
    carries = Carries(n_tracks=None, medium=CUTS.medium, clip_markers=True, one_a_frame=True)
    fit, losses = fitted(timeline(Clip("a", 25, MEDIUM, markers=same)), carries)
    assert [m.frame for m in fit.tracks[0].clips()[0][1].markers] == [5, 6]
    assert losses == ("Moved, as another marker has the frame: 'B' 1 frame later.",)


def test_markers_of_a_held_picture_move_to_the_timeline() -> None:
    held = Clip("a", 25, MEDIUM, speed=Fraction(0), markers=(TimelineMarker(5, name="A"),))
    carries = Carries(n_tracks=None, medium=CUTS.medium, clip_markers=True, speeds=True)
    fit, _ = fitted(timeline(Gap(10), held), carries)
    assert [(m.frame, m.name) for m in fit.markers] == [(15, "A")]
    assert fit.tracks[0].clips()[0][1].markers == ()


def test_a_cut_that_a_list_of_markers_cannot_hold_is_said() -> None:
    listed = Carries()
    assert fitted(timeline(Clip("a", 25, MEDIUM)), listed)[1] == ()
    for item in (Clip("a", 25, MEDIUM, Fraction(2)), Clip("a", 25, MEDIUM, speed=Fraction(2))):
        assert fitted(timeline(item), listed)[1] == ("1 clip left out: the format holds markers only.",)
    assert fitted(timeline(Gap(1), Clip("a", 25, MEDIUM)), listed)[1] == (
        "1 clip left out: the format holds markers only.",
    )
