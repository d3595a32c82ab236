from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mtbsync_engine.errors import MarkerError, MtbsyncError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import export, fcpxml
from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.timeline import Clip, Gap, MarkerKind, Medium, Reading, Timeline, Track
from support.rates import RATES
from support.timelines import STARTS, medium, on_frames, one_clip, point, rich

PAL = Rate(Fraction(25))
HOUR = Timecode.parse("01:00:00:00", PAL)
NTSC_30 = Rate(Fraction(30000, 1001))
SHARED = Path(__file__).parents[3] / "shared"
SAMPLES = SHARED / "data/nle"
DTDS = SHARED / "reference/fcpxml-dtd"

GOLDEN = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>
<fcpxml version="1.10">
  <resources>
    <format id="r1" name="FFVideoFormat1080p2997" frameDuration="1001/30000s" width="1920" height="1080"/>
    <asset id="r2" name="GX010034.MP4" start="3603600/30000s" duration="18018000/30000s" hasVideo="1" \
format="r1" hasAudio="1" audioSources="1" audioChannels="2">
      <media-rep kind="original-media" src="file:///media/GoPro%20Hero/GX010034.MP4"/>
      <metadata>
        <md key="com.apple.proapps.studio.reel" value="A001"/>
      </metadata>
    </asset>
  </resources>
  <library>
    <event name="Run 12">
      <project name="Run 12">
        <sequence format="r1" duration="600600/30000s" tcStart="107999892/30000s" tcFormat="DF" \
audioLayout="stereo" audioRate="48k">
          <spine>
            <asset-clip ref="r2" offset="107999892/30000s" name="GX010034.MP4" start="3703700/30000s" \
duration="300300/30000s" format="r1" tcFormat="NDF" audioRole="dialogue">
              <asset-clip ref="r2" lane="1" offset="3704701/30000s" name="Above" start="3603600/30000s" \
duration="30030/30000s" format="r1" tcFormat="NDF" audioRole="dialogue"/>
              <marker start="3753750/30000s" duration="1001/30000s" value="Start gate" note="gate open"/>
              <chapter-marker start="3803800/30000s" duration="1001/30000s" value="Rock garden"/>
            </asset-clip>
            <gap name="Gap" offset="108300192/30000s" start="107999892/30000s" duration="300300/30000s">
              <marker start="108200092/30000s" duration="1001/30000s" value="Look" completed="0"/>
            </gap>
          </spine>
        </sequence>
      </project>
    </event>
  </library>
</fcpxml>
"""


def timeline_of(*tracks: tuple[Clip | Gap, ...], start: Timecode = HOUR) -> Timeline:
    named = tuple(Track(f"Video {n}", items) for n, items in enumerate(tracks, start=1))
    return Timeline("Run 12", start, named, width=1920, height=1080)


def back(text: str, folder: Path) -> Reading:
    path = folder / "run.fcpxml"
    path.write_text(text, encoding="utf-8")
    return fcpxml.read(path)


def test_a_project_reads_exactly_like_this(tmp_path: Path) -> None:
    start = Timecode.parse("01:00:00;00", NTSC_30)
    footage = replace(medium(NTSC_30, start_frame=3600), n_frames=18000)
    lower = Clip(footage.name, 300, footage, Fraction(1001 * 100, 30000))
    timeline = replace(
        timeline_of((lower,), (Gap(1), Clip("Above", 30, footage), Gap(569)), start=start),
        markers=(
            point(50, "Start gate", comment="gate open"),
            point(100, "Rock garden", kind=MarkerKind.CHAPTER),
            point(500, "Look", kind=MarkerKind.TO_DO),
        ),
    )
    ((suffix, text),) = fcpxml.encode(timeline).files
    assert suffix == ".fcpxml"
    assert text == GOLDEN
    assert back(text, tmp_path).timeline == fitted(timeline, fcpxml.CARRIES)[0]


# --- what is written ----------------------------------------------------------------------------


@pytest.mark.parametrize("minor", range(8, 14))
def test_every_version_is_valid(minor: int) -> None:
    definition = DTDS / f"FCPXMLv1_{minor}.dtd"
    if not definition.exists():
        pytest.skip("no document type definitions")
    dtd = etree.DTD(file=str(definition))
    for timeline in [*map(rich, STARTS), on_frames(HOUR, [0, 7, 90_000]), Timeline("empty", HOUR)]:
        for fit in (timeline, replace(timeline, tracks=())):
            ((_, text),) = fcpxml.encode(fitted(fit, fcpxml.CARRIES)[0], f"1.{minor}").files
            assert dtd.validate(etree.fromstring(text.encode())), dtd.error_log


def seconds(element: etree._Element, name: str) -> Fraction:
    text = element.attrib[name]
    assert text.endswith("s")
    return Fraction(text[:-1])


@pytest.mark.parametrize("start", STARTS, ids=lambda start: f"{start.rate}-{start}")
def test_all_that_lies_on_the_timeline_lies_on_its_frames(start: Timecode) -> None:
    timeline = rich(start)
    # Footage of another rate has a timecode between the timeline's frames, which no format can help.
    own = tuple(replace(t, items=tuple(i for i in t.items if is_own(i, start.rate))) for t in timeline.tracks)
    ((_, text),) = export("fcpxml", replace(timeline, tracks=own)).files
    root = etree.fromstring(text.encode())
    checked = 0
    for element in root.iter("sequence", "asset-clip", "gap", "marker", "chapter-marker"):
        for name in ("offset", "start", "duration", "tcStart"):
            if name in element.attrib:
                assert (seconds(element, name) * start.rate.fps).denominator == 1
                checked += 1
    assert checked > 30


def is_own(item: Clip | Gap, rate: Rate) -> bool:
    return isinstance(item, Gap) or (item.medium is not None and item.medium.start.rate == rate)


def test_footage_of_another_rate_has_its_own_format_and_keeps_its_speed() -> None:
    footage = medium(Rate(Fraction(24000, 1001)))
    ((_, text),) = fcpxml.encode(timeline_of((Clip("a", 50, footage),))).files
    assert 'name="FFVideoFormat1080p25" frameDuration="100/2500s"' in text
    assert 'name="FFVideoFormat1080p2398" frameDuration="1001/24000s"' in text
    assert '<conform-rate scaleEnabled="0" srcFrameRate="23.98"/>' in text


def test_a_rate_that_final_cut_has_no_name_for_is_not_named() -> None:
    for minor, wanted in ((12, '<conform-rate scaleEnabled="0"/>'), (13, 'srcFrameRate="119.88"')):
        footage = medium(Rate(Fraction(120000, 1001)))
        ((_, text),) = fcpxml.encode(timeline_of((Clip("a", 50, footage),)), f"1.{minor}").files
        assert wanted in text
        assert '<format id="r2" frameDuration="1001/120000s" width="1920" height="1080"/>' in text


def test_a_mediums_place_has_an_element_of_its_own_from_1_9(tmp_path: Path) -> None:
    timeline = timeline_of((Clip("a", 50, medium(PAL)),))
    for version, has_own in (("1.8", False), ("1.9", True)):
        ((_, text),) = fcpxml.encode(timeline, version).files
        (asset,) = etree.fromstring(text.encode()).iter("asset")
        assert (asset.find("media-rep") is not None, asset.get("src") is None) == (has_own, has_own)
        assert back(text, tmp_path).timeline.tracks == timeline.tracks


def test_a_medium_used_twice_is_one_asset() -> None:
    footage = medium(PAL)
    ((_, text),) = fcpxml.encode(timeline_of((Clip("a", 5, footage), Clip("b", 5, footage)))).files
    assert text.count("<asset ") == 1


def test_markers_beyond_the_last_clip_and_without_any_hang_on_a_gap() -> None:
    for tracks in ((), (Track("Video 1", (Clip("a", 10, medium(PAL)),)),)):
        timeline = Timeline("m", HOUR, tracks, (point(99, "late"),), width=1920, height=1080)
        ((_, text),) = fcpxml.encode(timeline).files
        (marker,) = etree.fromstring(text.encode()).iter("marker")
        gap = marker.getparent()
        assert gap is not None
        assert gap.tag == "gap"
        local_s = seconds(marker, "start") - seconds(gap, "start") + seconds(gap, "offset")
        assert local_s == 3600 + Fraction(99, 25)


def test_a_timeline_of_unknown_size_gets_one() -> None:
    ((_, text),) = export("fcpxml", Timeline("m", HOUR)).files
    assert 'name="FFVideoFormat1080p25"' in text


def test_what_final_cut_does_not_know_is_said() -> None:
    fast = Timecode(0, Rate(Fraction(240)))
    losses = export("fcpxml", one_clip(fast)).losses
    assert any("23.98 to 60 frames a second, not at 240" in loss for loss in losses)
    unknown = timeline_of((Clip("a", 5, medium(PAL, url="")),))
    assert export("fcpxml", unknown).losses == ("Final Cut will ask where these files are: 'GX010034.MP4'.",)
    assert export("fcpxml", one_clip(HOUR)).losses == ()


# --- speeds -------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    footage_rate=st.sampled_from(RATES),
    speed=st.fractions(-20, 20, max_denominator=1000),
    cut=st.fractions(0, 700, max_denominator=1000),
    n_frames=st.integers(1, 5000),
    known=st.booleans(),
)
def test_any_speed_comes_back_exactly(
    rate: Rate,
    footage_rate: Rate,
    speed: Fraction,
    cut: Fraction,
    n_frames: int,
    known: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    footage = medium(footage_rate, start_frame=4321)
    clip = Clip("a", n_frames, footage if known else replace(footage, n_frames=0), cut, speed)
    start = Timecode(0, rate)
    timeline, _ = fitted(timeline_of((clip,), start=start), fcpxml.CARRIES)
    ((_, text),) = fcpxml.encode(timeline).files
    assert back(text, tmp_path_factory.mktemp("speed")).timeline.tracks == timeline.tracks


def test_a_speed_that_final_cuts_times_cannot_tell_is_said() -> None:
    fine = Clip("a", 50, medium(PAL), Fraction(8), Fraction(0.4375120001))
    losses = export("fcpxml", timeline_of((fine,))).losses
    assert "Speeds finer than Final Cut's times can tell; set them there again: 'a'." in losses


def test_a_held_picture_is_a_map_that_does_not_rise() -> None:
    held = Clip("a", 50, medium(PAL), Fraction(8), Fraction(0))
    ((_, text),) = fcpxml.encode(timeline_of((held,))).files
    assert '<timept time="8s" value="8s" interp="linear"/>' in text
    assert '<timept time="10s" value="8s" interp="linear"/>' in text


def test_a_map_reaches_from_the_mediums_first_picture_to_its_last() -> None:
    twice = Clip("a", 50, medium(PAL), Fraction(8), Fraction(2))
    ((_, text),) = fcpxml.encode(timeline_of((twice,))).files
    assert 'start="4s" duration="2s"' in text
    assert '<timept time="0s" value="0s" interp="linear"/>' in text
    assert '<timept time="300s" value="600s" interp="linear"/>' in text


def test_the_map_of_a_reversed_clip_begins_less_than_a_frame_before_its_time() -> None:
    # 592 s lie before the cut when played backwards, which take 592 / 3 s: 4933 frames and a third.
    back_thrice = Clip("a", 50, medium(PAL), Fraction(8), Fraction(-3))
    ((_, text),) = fcpxml.encode(timeline_of((back_thrice,))).files
    assert 'start="493300/2500s" duration="2s"' in text
    assert '<timept time="-1/75s" value="600s" interp="linear"/>' in text


# --- real exports -------------------------------------------------------------------------------

# Where Final Cut itself shows them, to the nearest frame.
IN_29_97_DF = """
00:00:01;14 Marker 2
00:00:04;08 Marker 3
00:00:05;26 Marker 4
00:00:08;11 INSIDE 1
00:00:10;00 INSIDE 2
00:00:11;23 Marker 8
00:00:13;01 Marker 9
00:00:14;05 Marker 1
00:00:14;10 Marker 10
00:00:14;17 Marker 11
00:00:14;24 Marker 12
00:00:14;24 Marker 13
00:00:15;00 Marker 14
00:00:15;04 Marker 15
00:00:15;13 Marker 16
00:00:15;20 Marker 17
00:00:19;25 Marker 18
00:00:21;21 Marker 19
00:00:24;08 Marker 20
00:00:24;08 Marker 23
00:00:24;23 INSIDE 1
00:00:26;29 Marker 21
00:00:28;23 Marker 22
"""
# At 50 with footage of 23.98, which Final Cut plays at 24, and of 29.97: markers lie between frames.
IN_50 = """
00:00:16:29 Shot_01
00:00:52:13 Shot_02
00:01:26:31 Shot_03
00:01:53:34 Shot_04
00:02:10:36 Shot_05
00:02:18:23 Shot_06
00:02:24:09 Shot_07
00:03:17:07 Shot_08
00:03:36:13 Shot_09
00:03:44:44 Shot_10
00:03:55:10 Marker 2
00:03:58:01 Marker 3
00:03:59:31 Marker 4
00:04:02:04 INSIDE 1
00:04:03:36 INSIDE 2
00:04:05:26 Marker 8
00:04:06:40 Marker 9
00:04:07:45 Marker 1
00:04:08:04 Marker 10
00:04:08:15 Marker 11
00:04:08:27 Marker 12
00:04:08:28 Marker 13
00:04:08:36 Marker 14
00:04:08:43 Marker 15
00:04:09:09 Marker 16
00:04:09:21 Marker 17
"""


def sample(name: str) -> Reading:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("no real exports")
    return fcpxml.read(path)


@pytest.mark.parametrize(
    ("name", "shown", "hidden"),
    [
        ("29.97d.fcpxml", IN_29_97_DF, "'INSIDE 3' (2 times), 'INSIDE 2'"),
        ("50.fcpxml", IN_50, "'INSIDE 3'"),
    ],
)
def test_markers_of_real_projects_lie_where_final_cut_shows_them(name: str, shown: str, hidden: str) -> None:
    found = sample(name)
    start = found.timeline.start
    assert [f"{start + m.frame} {m.name}" for m in found.timeline.markers] == shown.strip().splitlines()
    assert f"Outside the visible part of their clips, left out: {hidden}." in found.losses


def test_a_real_project_keeps_its_kinds_clips_and_media() -> None:
    timeline = sample("50.fcpxml").timeline
    kinds = {m.name: m.kind for m in timeline.markers}
    assert kinds["Shot_01"] is MarkerKind.TO_DO
    assert kinds["Shot_08"] is MarkerKind.CHAPTER
    assert kinds["Shot_03"] is MarkerKind.STANDARD
    assert (timeline.name, timeline.width, timeline.height) == ("50_V1", 1920, 1080)
    # Storyline and connected clips; the compound clip has one, the gap is 900/5000 s.
    assert [len(track.clips()) for track in timeline.tracks] == [13, 7]
    assert Gap(9) in timeline.tracks[0].items
    first = timeline.tracks[0].clips()[0][1]
    assert (first.n_frames, first.speed) == (1584, Fraction(1001, 1000))
    assert first.medium is not None
    assert first.medium.url.endswith("/user/Movies/TestVideo.mp4")
    assert replace(first.medium, url="") == Medium(
        name="TestVideo",
        url="",
        start=Timecode(0, Rate(Fraction(24000, 1001))),
        n_frames=9978,  # 416.166 s
        width=1920,
        height=1080,
        has_audio=True,
    )


def test_a_real_project_that_is_written_again_says_the_same(tmp_path: Path) -> None:
    timeline, _ = fitted(sample("50.fcpxml").timeline, fcpxml.CARRIES)
    ((_, text),) = fcpxml.encode(timeline).files
    assert back(text, tmp_path).timeline == timeline


def test_markers_outside_a_real_title_are_told_by_name() -> None:
    # The title shows its own 00:10:00:00 to 00:11:03:29; its markers stand at 01:00:29:14 and later.
    found = sample("BasicMarkers_1HourProjectStart.fcpxml")
    assert str(found.timeline.start) == "01:00:00:00"
    assert found.timeline.markers == ()
    assert found.losses == (
        "Outside the visible part of their clips, left out: 'Standard Marker', 'To Do Marker, Incomplete', "
        "'To Do Marker, Completed', 'Chapter Marker'.",
    )


# --- what others write --------------------------------------------------------------------------

RESOURCES = """
<format id="f" frameDuration="1/25s" width="1920" height="1080"/>
<format id="f24" frameDuration="1001/24000s"/>
<asset id="a" name="ride.mp4" start="100s" duration="60s" hasVideo="1" hasAudio="1" format="f"
  src="/media/ride.mp4"/>
<asset id="song" name="song.wav" duration="60s" hasAudio="1"><media-rep src="file:///song.wav"/></asset>
<effect id="t" name="Title" uid="x"/>
"""


def project(spine: str, more: str = "", sequence: str = 'tcStart="3600s"') -> str:
    return f"""<?xml version="1.0"?><!DOCTYPE fcpxml><fcpxml version="1.8">
<resources>{RESOURCES}{more}</resources>
<library><event><project name="P"><sequence format="f" {sequence}><spine>{spine}</spine></sequence>
</project></event></library></fcpxml>"""


def frames(found: Reading) -> dict[str, int]:
    return {marker.name: marker.frame for marker in found.timeline.markers}


def test_local_times_are_followed_at_every_depth(tmp_path: Path) -> None:
    found = back(
        project(
            """<asset-clip ref="a" offset="3600s" start="110s" duration="10s">
              <spine lane="1" offset="112s">
                <asset-clip ref="a" offset="0s" start="130s" duration="2s">
                  <marker start="131s" value="in storyline"/></asset-clip>
                <gap offset="2s" start="3600s" duration="1s"><marker start="3600s" value="on its gap"/></gap>
                <asset-clip ref="a" offset="3s" start="140s" duration="2s">
                  <title ref="t" lane="1" offset="141s" start="3600s" duration="1s" name="T">
                    <marker start="90001/25s" value="on its title"/></title>
                </asset-clip>
              </spine>
              <asset-clip ref="song" lane="-1" offset="115s" start="0s" duration="9s">
                <marker start="1s" value="song"/></asset-clip>
              <marker start="110s" value="first" note="n"/>
            </asset-clip>"""
        ),
        tmp_path,
    )
    expected = {"first": 0, "in storyline": 75, "on its gap": 100, "on its title": 151, "song": 150}
    assert frames(found) == expected
    assert found.timeline.markers[0].comment == "n"
    assert found.losses == ("Sound without a picture left out: ''.",)
    lower, middle, top = found.timeline.tracks
    assert [(first, clip.source_in_s) for first, clip in lower.clips()] == [(0, Fraction(10))]
    assert [(first, clip.source_in_s) for first, clip in middle.clips()] == [
        (50, Fraction(30)),
        (125, Fraction(40)),
    ]
    assert top.items == (Gap(150), Clip("T", 25, None))


COMPOUND = """<media id="c"><sequence format="f" tcStart="50s"><spine>
  <asset-clip ref="a" offset="50s" start="100s" duration="4s"><marker start="101s" value="before the cut"/>
    <marker start="103s" value="seen"/></asset-clip>
  <asset-clip ref="a" offset="54s" start="120s" duration="9s"><marker start="121s" value="seen too"/>
    <marker start="125s" value="after the cut"/></asset-clip>
</spine></sequence></media>"""


def test_a_compound_clip_shows_what_falls_within_its_cut(tmp_path: Path) -> None:
    cut = '<gap offset="3600s" duration="2s"/><ref-clip ref="c" offset="3602s" start="52s" duration="4s"/>'
    found = back(project(cut, COMPOUND), tmp_path)
    assert frames(found) == {"seen": 75, "seen too": 125}
    assert found.losses == (
        "Outside the visible part of their clips, left out: 'before the cut', 'after the cut'.",
    )
    (track,) = found.timeline.tracks
    assert [(first, c.n_frames, c.source_in_s) for first, c in track.clips()] == [(50, 50, 2), (100, 50, 20)]


def test_a_compound_clip_at_another_speed_moves_what_is_in_it(tmp_path: Path) -> None:
    cut = """<ref-clip ref="c" offset="3600s" start="26s" duration="2s"><timeMap>
        <timept time="0s" value="0s"/><timept time="100s" value="200s"/></timeMap>
        <marker start="27s" value="on it"/></ref-clip>"""
    found = back(project(cut, COMPOUND), tmp_path)
    # 26 s of its own are 52 s of the sequence inside, which runs twice as fast.
    assert frames(found) == {"seen": 13, "on it": 25, "seen too": 38}
    assert [(c.n_frames, c.source_in_s, c.speed) for _, c in found.timeline.tracks[0].clips()] == [
        (25, 2, 2),
        (25, 20, 2),
    ]


def test_a_compound_clip_that_is_only_heard_or_runs_backwards_shows_nothing(tmp_path: Path) -> None:
    heard = '<ref-clip ref="c" name="R" offset="3600s" start="50s" duration="4s" srcEnable="audio"/>'
    found = back(project(heard, COMPOUND), tmp_path)
    assert found.timeline.tracks == ()
    assert found.losses == ("Sound without a picture left out: 'R'.",)
    backwards = """<ref-clip ref="c" name="B" offset="3600s" start="0s" duration="4s"><timeMap>
        <timept time="0s" value="60s"/><timept time="10s" value="50s"/></timeMap></ref-clip>"""
    found = back(project(backwards, COMPOUND), tmp_path)
    assert found.timeline.tracks == ()
    assert found.losses == (
        "Left out, as the clips in it play backwards or stand still: 'B'.",
        "Markers of clips that are left out: 'before the cut', 'seen', 'seen too', 'after the cut'.",
    )


def test_a_multicam_clip_shows_the_angle_that_is_seen(tmp_path: Path) -> None:
    media = """<media id="m"><multicam format="f">
      <mc-angle angleID="A"><asset-clip ref="a" offset="0s" start="100s" duration="9s">
        <marker start="102s" value="A"/></asset-clip></mc-angle>
      <mc-angle angleID="B"><gap offset="0s" duration="1s"/><asset-clip ref="a" offset="1s" start="140s"
        duration="9s"><marker start="142s" value="B"/></asset-clip></mc-angle></multicam></media>"""
    cut = """<mc-clip ref="m" offset="3600s" start="2s" duration="4s">
      <mc-source angleID="A" srcEnable="audio"/>
      <mc-source angleID="B" srcEnable="video"/><marker start="5s" value="on it"/></mc-clip>"""
    found = back(project(cut, media), tmp_path)
    assert frames(found) == {"B": 25, "on it": 75}
    assert [c.source_in_s for _, c in found.timeline.tracks[0].clips()] == [41]


def test_contained_clips_are_cut_by_what_contains_them(tmp_path: Path) -> None:
    found = back(
        project(
            """<sync-clip offset="3600s" start="105s" duration="5s">
              <clip offset="100s" start="100s" duration="30s">
                <video ref="a" offset="100s" start="100s" duration="30s">
                  <marker start="107s" value="inside"/></video></clip>
              <marker start="106s" value="on it"/><marker start="111s" value="behind it"/>
            </sync-clip>"""
        ),
        tmp_path,
    )
    assert frames(found) == {"on it": 25, "inside": 50}
    ((_, clip),) = found.timeline.tracks[0].clips()
    assert (clip.n_frames, clip.source_in_s) == (125, 5)
    assert found.losses == ("Outside the visible part of their clips, left out: 'behind it'.",)


def test_the_first_choice_of_an_audition_is_used(tmp_path: Path) -> None:
    clip = """<asset-clip ref="a" name="{0}" start="100s" duration="2s">
      <marker start="101s" value="{0}"/></asset-clip>"""
    choices = clip.format("one") + clip.format("two")
    found = back(project(f'<audition offset="3600s">{choices}</audition>{clip.format("next")}'), tmp_path)
    # Without an offset an item follows the one before.
    assert frames(found) == {"one": 25, "next": 75}
    assert [clip.name for _, clip in found.timeline.tracks[0].clips()] == ["one", "next"]
    assert found.losses == (
        "Other choices of auditions left out: 'two'.",
        "Markers of clips that are left out: 'two'.",
    )


def test_markers_on_transitions_count_from_an_hour(tmp_path: Path) -> None:
    spine = """<gap offset="3600s" duration="4s"/><transition name="X" offset="3603s" duration="2s">
      <marker start="3601s" value="m"/></transition><gap offset="3604s" duration="4s"/>"""
    found = back(project(spine), tmp_path)
    assert frames(found) == {"m": 100}
    assert found.losses == ("Transitions left out: 'X'.",)


@pytest.mark.parametrize(
    ("source", "frame_s", "frame", "speed"),
    [
        ("23.98", "1/24s", 24_000, Fraction(1001, 1000)),  # 24_000 of its frames, played at 24
        ("25", "1001/24000s", 25_025, Fraction(24000, 25025)),  # played at 23.98
        ("25", "1/24s", 25_025, Fraction(24, 25)),
        ("23.98", "1001/60000s", 59_940, Fraction(1001, 1000)),  # played at 24 here too, so 1000 s
        ("29.97", "1/60s", 60_000, Fraction(1001, 1000)),  # played at 30
        ("30", "1001/30000s", 30_030, Fraction(1000, 1001)),  # played at 29.97
        ("25", "1/60s", 60_060, Fraction(1)),  # as it is
        ("25", "1/27s", 27_027, Fraction(1)),  # a fourteenth off: as it is
    ],
)
def test_footage_fitted_to_the_timelines_rate_takes_its_markers_along(
    source: str, frame_s: str, frame: int, speed: Fraction, tmp_path: Path
) -> None:
    spine = f"""<asset-clip ref="a" offset="0s" start="100s" duration="3000s">
      <conform-rate srcFrameRate="{source}"/><marker start="1101s" value="m"/></asset-clip>"""
    text = project(spine, sequence="").replace("1/25s", frame_s)
    found = back(text, tmp_path)
    assert frames(found) == {"m": frame}
    assert found.timeline.tracks[0].clips()[0][1].speed == speed
    as_it_is = back(text.replace("<conform-rate ", '<conform-rate scaleEnabled="0" '), tmp_path)
    assert as_it_is.timeline.tracks[0].clips()[0][1].speed == 1


def test_a_ramp_becomes_even_and_is_told(tmp_path: Path) -> None:
    spine = """<asset-clip ref="a" name="R" offset="3600s" start="0s" duration="4s"><timeMap>
      <timept time="0s" value="100s"/><timept time="2s" value="102s"/>
      <timept time="4s" value="110s"/></timeMap>
      </asset-clip>"""
    found = back(project(spine), tmp_path)
    ((_, clip),) = found.timeline.tracks[0].clips()
    assert (clip.source_in_s, clip.speed) == (0, Fraction(5, 2))
    assert found.losses == ("Changing speed made even: 'R'.",)


def test_what_is_not_kept_is_told(tmp_path: Path) -> None:
    spine = """<asset-clip ref="a" name="off" enabled="0" offset="3600s" start="100s" duration="2s">
      <caption lane="1" offset="100s" name="Cap" duration="1s"/>
      <marker start="101s" value="still"/></asset-clip>
      <asset-clip ref="a" name="early" offset="3602s" duration="1s" start="90s"/>"""
    other = project("").replace('name="P"', 'name="Q"')
    text = project(spine).replace(
        "</event>", other[other.index("<project") : other.index("</event>")] + "</event>"
    )
    found = back(text, tmp_path)
    assert frames(found) == {"still": 25}
    assert found.losses == (
        "Other projects in the file left out: 'Q'.",
        "Disabled clips left out: 'off'.",
        "Captions left out: 'Cap'.",
        "Begin before their medium, so moved to its first picture: 'early'.",
    )
    # A cut before the medium's first picture begins with it.
    assert found.timeline.tracks[0].clips()[0][1].source_in_s == 0


STILL = '<timeMap><timept time="0s" value="53s"/><timept time="9s" value="53s"/></timeMap>'
BACKWARDS = '<timeMap><timept time="0s" value="9s"/><timept time="9s" value="0s"/></timeMap>'
INSIDE = """<video ref="a" name="V" offset="0s" start="100s" duration="9s">
  <marker start="102s" value="inside"/></video>
  <title ref="t" name="above" lane="1" offset="1s" duration="1s"/>"""


@pytest.mark.parametrize(
    ("clip", "losses"),
    [
        (
            f'<ref-clip ref="c" name="C" start="50s" duration="9s">{STILL}</ref-clip>',
            (
                "Left out, as the clips in it play backwards or stand still: 'C'.",
                "Markers of clips that are left out: 'before the cut', 'seen', 'seen too', 'after the cut'.",
            ),
        ),
        (
            '<ref-clip ref="gone" name="C" duration="9s"/><mc-clip ref="gone" name="M" duration="9s"/>',
            ("Left out, as the file does not describe their media: 'C', 'M'.",),
        ),
        (
            '<asset-clip ref="gone" name="A" duration="9s"/><video ref="gone" name="V" duration="9s"/>',
            ("Left out, as the file does not describe their media: 'A', 'V'.",),
        ),
        (
            '<video ref="t" name="off" enabled="0" duration="9s"><filter-video ref="t" name="Blur"/></video>',
            ("Disabled clips left out: 'off'.",),
        ),
    ],
)
def test_clips_that_cannot_be_shown_are_told(clip: str, losses: tuple[str, ...], tmp_path: Path) -> None:
    found = back(project(clip, COMPOUND), tmp_path)
    assert found.timeline.tracks == ()
    assert found.losses == losses


def test_a_clip_that_runs_backwards_with_clips_in_it_leaves_them_out(tmp_path: Path) -> None:
    clip = f'<clip name="C" offset="3600s" duration="9s">{BACKWARDS}{INSIDE}</clip>'
    found = back(project(clip), tmp_path)
    assert [track.clips() for track in found.timeline.tracks] == [((25, Clip("above", 25, None)),)]
    assert found.losses == (
        "Left out, as the clips in it play backwards or stand still: 'C'.",
        "Markers of clips that are left out: 'inside'.",
    )


@pytest.mark.parametrize("tag", ["clip", "sync-clip"])
def test_what_a_disabled_clip_contains_is_not_shown_but_its_markers_and_what_is_above(
    tag: str, tmp_path: Path
) -> None:
    clip = f'<{tag} name="C" enabled="0" offset="3600s" duration="9s">{INSIDE}</{tag}>'
    found = back(project(clip), tmp_path)
    assert [track.clips() for track in found.timeline.tracks] == [((25, Clip("above", 25, None)),)]
    assert frames(found) == {"inside": 50}
    assert found.losses == ("Disabled clips left out: 'C'.",)


def test_a_disabled_compound_clip_shows_nothing_but_its_markers(tmp_path: Path) -> None:
    nested = '<media id="d"><sequence format="f"><spine>{}</spine></sequence></media>'
    inner = nested.format('<ref-clip ref="c" name="inner" offset="0s" start="52s" duration="4s"/>')
    clip = '<ref-clip ref="d" name="C" enabled="0" offset="3600s" duration="4s"/>'
    found = back(project(clip, COMPOUND + inner), tmp_path)
    assert found.timeline.tracks == ()
    assert frames(found) == {"seen": 25, "seen too": 75}
    assert found.losses[0] == "Disabled clips left out: 'C'."


def test_a_disabled_gap_is_nothing_to_tell(tmp_path: Path) -> None:
    assert back(project('<gap enabled="0" offset="3600s" duration="9s"/>'), tmp_path).losses == ()


def test_a_generator_is_kept_as_what_only_its_editor_can_make(tmp_path: Path) -> None:
    found = back(project('<video ref="t" name="G" offset="3600s" duration="1s"/>'), tmp_path)
    assert found.timeline.tracks[0].items == (Clip("G", 25, None),)
    assert found.losses == ()


def test_keywords_ratings_and_effects_are_told_once(tmp_path: Path) -> None:
    clip = """<asset-clip ref="a" offset="{}s" start="100s" duration="1s">
      <adjust-colorConform autoOrManual="automatic"/><adjust-transform scale="2 2"/>
      <adjust-blend enabled="0" amount="0.5"/>
      <keyword start="100s" duration="1s" value="kw"/><rating start="100s" value="favorite"/>
      <filter-video ref="t" name="Blur"/></asset-clip>"""
    found = back(project(clip.format(3600) + clip.format(3601)), tmp_path)
    assert len(found.timeline.tracks[0].clips()) == 2
    assert found.losses == (
        "Keywords and ratings left out: 'kw', 'favorite'.",
        "Effects and adjustments left out: 'transform', 'Blur'.",
    )


def test_a_bundle_is_read_through_its_info(tmp_path: Path) -> None:
    bundle = tmp_path / "ride.fcpxmld"
    bundle.mkdir()
    ((_, text),) = fcpxml.encode(one_clip(HOUR, point(5))).files
    (bundle / "Info.fcpxml").write_text(text, encoding="utf-8")
    assert [m.frame for m in fcpxml.read(bundle).timeline.markers] == [5]


def test_a_compound_clip_alone_is_read_as_a_timeline(tmp_path: Path) -> None:
    text = f'<fcpxml version="1.9"><resources>{RESOURCES}{COMPOUND}</resources></fcpxml>'
    found = back(text, tmp_path)
    assert frames(found) == {"before the cut": 25, "seen": 75, "seen too": 125, "after the cut": 225}


def test_a_rate_may_stand_in_the_formats_name_alone(tmp_path: Path) -> None:
    text = project('<gap offset="3600s" duration="1s"/>').replace(
        'frameDuration="1/25s"', 'name="FFVideoFormat720p5994"'
    )
    assert back(text, tmp_path).timeline.rate.fps == Fraction(60000, 1001)


# --- bad input ----------------------------------------------------------------------------------


IN_ITSELF = "<ref-clip ref='c' duration='9s'/>"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not readable as XML"),
        ("<xmeml/>", "begins with <xmeml>, not <fcpxml>"),
        ("<fcpxml><resources/></fcpxml>", "holds no project; select the project in Final Cut"),
        (project("<gap offset='x' duration='1s'/>"), "this gap has no time in offset but 'x'"),
        (project("<gap offset='1/0s' duration='1s'/>"), "this gap has no time in offset but '1/0s'"),
        (project("<gap offset='NaNs' duration='1s'/>"), "no time in offset but 'NaNs'"),
        (project("<gap duration='99999999999999999999s'/>"), "beyond any timeline"),
        (project("<gap duration='1s'><title ref='t' lane='up' duration='1s'/></gap>"), "which is no number"),
        (project("", sequence='tcStart="-1s"'), "starts before 00:00:00:00"),
        (project("").replace("1/25s", "0s"), "does not tell its frame rate"),
        (project("").replace("1/25s", "1/99999s"), "A frame rate lies above 0"),
        (project(IN_ITSELF, f'<media id="c"><sequence><spine>{IN_ITSELF}</spine></sequence></media>'),
         "nested deeper than any edit"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_with_a_sentence(
    text: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(MarkerError, match=r"run\.fcpxml") as error:
        back(text, tmp_path)
    assert sentence in str(error.value)


def test_compound_clips_that_multiply_without_end_are_refused(tmp_path: Path) -> None:
    inside = "".join(f'<ref-clip ref="c{{n}}" offset="{k}s" start="0s" duration="9s"/>' for k in range(20))
    media = "".join(
        f'<media id="c{n}"><sequence format="f"><spine>{inside.format(n=n + 1)}</spine></sequence></media>'
        for n in range(8)
    )
    with pytest.raises(MarkerError, match="nested deeper"):
        back(project('<ref-clip ref="c0" offset="3600s" duration="9s"/>', media), tmp_path)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), n_changes=st.integers(1, 8))
def test_a_damaged_file_gives_a_reading_or_a_sentence(
    seed: int, n_changes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    text = chance.choice(
        [GOLDEN, project('<ref-clip ref="c" offset="3600s" start="52s" duration="4s"/>', COMPOUND)]
    )
    for _ in range(n_changes):
        at = chance.randrange(len(text))
        kept = chance.choice([0, 1, 2, 20])
        text = (
            text[:at] + chance.choice(["", "0", "-", "9" * 12, "/", '"', "<gap/>", "é"]) + text[at + kept :]
        )
    with suppress(MtbsyncError):
        assert isinstance(back(text, tmp_path_factory.mktemp("damaged")), Reading)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for length in range(0, len(GOLDEN) - 12, 97):
        with pytest.raises(MarkerError):
            back(GOLDEN[:length], tmp_path)
