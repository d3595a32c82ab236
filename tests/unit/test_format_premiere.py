from __future__ import annotations

import random
import re
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import ExportError, MarkerError, MtbsyncError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import export, premiere
from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.timeline import Clip, Gap, MarkerKind, Reading, Timeline, Track
from support.rates import RATES
from support.timelines import medium, one_clip, point

PAL = Rate(Fraction(25))
NTSC_30 = Rate(Fraction(30000, 1001))
HOUR = Timecode.parse("01:00:00:00", PAL)
SAMPLES = Path(__file__).parents[3] / "shared/data/nle"

GOLDEN = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE xmeml>
<xmeml version="4">
  <sequence id="sequence-1">
    <uuid>UUID</uuid>
    <duration>60</duration>
    <rate>
      <timebase>30</timebase>
      <ntsc>TRUE</ntsc>
    </rate>
    <name>Run 12</name>
    <media>
      <video>
        <format>
          <samplecharacteristics>
            <rate>
              <timebase>30</timebase>
              <ntsc>TRUE</ntsc>
            </rate>
            <width>1920</width>
            <height>1080</height>
            <anamorphic>FALSE</anamorphic>
            <pixelaspectratio>square</pixelaspectratio>
            <fielddominance>none</fielddominance>
          </samplecharacteristics>
        </format>
        <track>
          <clipitem id="clipitem-1">
            <masterclipid>masterclip-1</masterclipid>
            <name>Gap jump</name>
            <enabled>TRUE</enabled>
            <duration>18000</duration>
            <rate>
              <timebase>30</timebase>
              <ntsc>TRUE</ntsc>
            </rate>
            <start>10</start>
            <end>60</end>
            <in>100</in>
            <out>150</out>
            <pproTicksIn>847566720000</pproTicksIn>
            <pproTicksOut>1271350080000</pproTicksOut>
            <file id="file-1">
              <name>run.mp4</name>
              <pathurl>file://localhost/C%3a/Trail%20A/run.mp4</pathurl>
              <rate>
                <timebase>30</timebase>
                <ntsc>TRUE</ntsc>
              </rate>
              <duration>18000</duration>
              <timecode>
                <rate>
                  <timebase>30</timebase>
                  <ntsc>TRUE</ntsc>
                </rate>
                <string>00:02:00:00</string>
                <frame>3600</frame>
                <displayformat>NDF</displayformat>
                <reel>
                  <name>A001</name>
                </reel>
              </timecode>
              <media>
                <video>
                  <samplecharacteristics>
                    <rate>
                      <timebase>30</timebase>
                      <ntsc>TRUE</ntsc>
                    </rate>
                    <width>1920</width>
                    <height>1080</height>
                    <anamorphic>FALSE</anamorphic>
                    <pixelaspectratio>square</pixelaspectratio>
                    <fielddominance>none</fielddominance>
                  </samplecharacteristics>
                </video>
              </media>
            </file>
            <marker>
              <comment/>
              <name>On the clip</name>
              <in>105</in>
              <out>-1</out>
              <pproColor>4281740498</pproColor>
            </marker>
          </clipitem>
          <enabled>TRUE</enabled>
          <locked>FALSE</locked>
        </track>
      </video>
      <audio>
        <format>
          <samplecharacteristics>
            <depth>16</depth>
            <samplerate>48000</samplerate>
          </samplecharacteristics>
        </format>
      </audio>
    </media>
    <timecode>
      <rate>
        <timebase>30</timebase>
        <ntsc>TRUE</ntsc>
      </rate>
      <string>01:00:00;00</string>
      <frame>107892</frame>
      <displayformat>DF</displayformat>
    </timecode>
    <marker>
      <comment>gate open</comment>
      <name>Start gate</name>
      <in>0</in>
      <out>-1</out>
      <pproColor>4281828977</pproColor>
    </marker>
    <marker>
      <comment/>
      <name>Rock garden</name>
      <in>20</in>
      <out>50</out>
      <pproColor>4289825711</pproColor>
    </marker>
  </sequence>
</xmeml>
"""


def timeline_of(*tracks: tuple[Clip | Gap, ...], start: Timecode = HOUR) -> Timeline:
    named = tuple(Track(f"Video {n}", items) for n, items in enumerate(tracks, start=1))
    return Timeline("Run 12", start, named, width=1920, height=1080)


def back(text: str, folder: Path) -> Reading:
    path = folder / "run.xml"
    path.write_text(text, encoding="utf-8")
    return premiere.read(path)


def test_a_sequence_reads_exactly_like_this(tmp_path: Path) -> None:
    footage = medium(NTSC_30, url="file:///C:/Trail%20A/run.mp4", start_frame=3600)
    footage = replace(footage, n_frames=18000, has_audio=False)
    cut = Fraction(1001 * 100, 30000)
    clip = Clip("Gap jump", 50, footage, cut, markers=(point(5, "On the clip", colour="Red"),))
    timeline = replace(
        timeline_of((Gap(10), clip), start=Timecode.parse("01:00:00;00", NTSC_30)),
        markers=(
            point(0, "Start gate", comment="gate open", colour="Green"),
            point(20, "Rock garden", n_frames=30, colour="purple"),
        ),
    )
    timeline, _ = fitted(timeline, premiere.CARRIES)
    ((suffix, text),) = premiere.encode(timeline).files
    assert suffix == ".xml"
    assert re.sub(r"(?<=<uuid>)[0-9a-f-]{36}", "UUID", text) == GOLDEN
    assert back(text, tmp_path).timeline == timeline


# --- what is written ----------------------------------------------------------------------------


def test_sound_is_linked_to_its_picture_on_two_tracks() -> None:
    loud, silent = medium(PAL), replace(medium(PAL), has_audio=False, name="silent")
    lower = (Clip("silent", 5, silent), Clip("loud", 5, loud))
    ((_, text),) = premiere.encode(timeline_of(lower, (Clip("above", 5, loud),))).files
    (link,) = set(re.findall(r"<link>.*?<linkclipref>clipitem-4</linkclipref>.*?</link>", text, re.S)[:1])
    assert re.findall(r"<(?:mediatype|trackindex|clipindex)>(\w+)<", link)[-3:] == ["audio", "2", "1"]
    assert re.findall(r'<clipitem id="(clipitem-\d)"(?: premiereChannelType="stereo")?>', text) == [
        *("clipitem-1", "clipitem-2", "clipitem-5"),
        *("clipitem-3", "clipitem-4", "clipitem-6", "clipitem-7"),
    ]
    assert text.count('premiereTrackType="Stereo"') == 4
    assert text.count("<channelcount>2</channelcount>") == 1


def test_the_same_timeline_is_the_same_sequence() -> None:
    first, again, other = (
        premiere.encode(one_clip(HOUR, *m)).files for m in ((), (), (point(5, colour="Red"),))
    )
    assert first == again
    uuids = {re.findall("<uuid>(.*)</uuid>", files[0][1])[0] for files in (first, other)}
    assert len(uuids) == 2


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("file:///D:/media/a%20b.mp4", "file://localhost/D%3a/media/a%20b.mp4"),
        ("file:///media/a:b.mp4", "file://localhost/media/a:b.mp4"),
        ("file://nas/share/a.mp4", "file://nas/share/a.mp4"),
    ],
)
def test_paths_are_quoted_as_premiere_quotes_them(url: str, written: str) -> None:
    ((_, text),) = premiere.encode(timeline_of((Clip("a", 5, medium(PAL, url=url)),))).files
    assert f"<pathurl>{written}</pathurl>" in text


def test_what_premiere_may_not_take_is_said() -> None:
    assert export("premiere", one_clip(HOUR)).losses == ()
    fast = export("premiere", one_clip(Timecode(0, Rate(Fraction(120000, 1001)))))
    assert "<timebase>120</timebase>\n      <ntsc>TRUE</ntsc>" in fast.files[0][1]
    assert any("up to 60 frames a second, not 119.88" in loss for loss in fast.losses)
    odd = replace(medium(Rate(Fraction(2983, 100))), name="phone.mp4", url="")
    assert export("premiere", timeline_of((Clip("a", 5, odd),))).losses == (
        "Frame rates of media made fit for the format: 'phone.mp4' (29.83, as 30).",
        "Premiere will ask where these files are: 'phone.mp4'.",
    )
    with pytest.raises(ExportError, match=r"whole or NTSC frame rates, not 12\.5"):
        export("premiere", one_clip(Timecode(0, Rate(Fraction(25, 2)))))


def test_changed_speeds_titles_and_kinds_are_said_to_be_lost() -> None:
    title = Clip("title", 5, None, markers=(point(2, "on the title"),))
    clips = (Clip("fast", 5, medium(PAL), speed=Fraction(2)), title, Clip("last", 5, medium(PAL)))
    timeline = replace(timeline_of(clips), markers=(point(9, "c", kind=MarkerKind.CHAPTER, colour="Red"),))
    fit, losses = fitted(timeline, premiere.CARRIES)
    assert "Changed speed left out: 'fast' (200%)." in losses
    assert "Left empty, as only its editor can make it: 'title'." in losses
    assert "No longer marked as chapter or to-do: 'c'." in losses
    # The title goes, but not what stood on it.
    assert [(m.frame, m.name) for m in fit.markers] == [(7, "on the title"), (9, "c")]


@settings(max_examples=300, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    footage_rate=st.sampled_from(RATES),
    cut=st.fractions(0, 500, max_denominator=1000),
    n_frames=st.integers(1, 300),
    places=st.lists(st.tuples(st.integers(0, 299), st.integers(1, 99)), max_size=5),
)
def test_clip_markers_come_back_from_the_frames_of_any_footage(
    rate: Rate,
    footage_rate: Rate,
    cut: Fraction,
    n_frames: int,
    places: list[tuple[int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    markers = tuple(
        point(frame % n_frames, f"M{k}", n_frames=length, colour="Red")
        for k, (frame, length) in enumerate(sorted(places))
    )
    markers = tuple(sorted(markers, key=lambda marker: marker.frame))
    clip = Clip("a", n_frames, medium(footage_rate, start_frame=99), cut, markers=markers)
    timeline, losses = fitted(timeline_of((clip,), start=Timecode(0, rate)), premiere.CARRIES)
    ((_, text),) = premiere.encode(timeline).files
    assert back(text, tmp_path_factory.mktemp("clip")).timeline == timeline
    ((_, fit),) = timeline.tracks[0].clips()
    for before, after in zip(markers, fit.markers, strict=True):
        # No footage frame is further away than half of one.
        assert abs(before.frame - after.frame) <= rate.fps / footage_rate.fps / 2 + 1
    if footage_rate.fps >= rate.fps:
        assert [(m.frame, m.n_frames) for m in fit.markers] == [(m.frame, m.n_frames) for m in markers]
        assert not any(loss.startswith("Moved to a frame of their footage") for loss in losses)


# --- real exports -------------------------------------------------------------------------------


def sample(name: str) -> Reading:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("no real exports")
    return premiere.read(path)


def test_a_real_sequence_keeps_all_its_markers() -> None:
    timeline = sample("premiere_example.xml").timeline
    assert (timeline.name, str(timeline.start), timeline.rate.fps) == ("sc01_sh010_layerA", "00:00:00:00", 30)
    assert [(m.frame, m.name, m.comment, m.n_frames, m.colour) for m in timeline.markers] == [
        (113, "My MArker 1", "so, this happened", 1, "Green"),
        (298, "", "", 1, "Green"),
        (492, "dsf", "fsfsfs", 1, "Green"),
    ]
    on_clips = [
        (first + m.frame, clip.name)
        for track in timeline.tracks
        for first, clip in track.clips()
        for m in clip.markers
    ]
    # At frame 73 of clips from 322 and, in the nested sequence at 636, from 100.
    assert on_clips == [(322 + 73, "sc01_sh030_anim.mov"), (636 + 100 + 73, "sc01_sh030_anim.mov")]


def test_a_real_sequence_is_flattened_with_its_transitions_resolved() -> None:
    found = sample("premiere_example.xml")
    spans = [
        [(first, first + clip.n_frames) for first, clip in track.clips()] for track in found.timeline.tracks
    ]
    assert spans == [
        [(536, 636)],
        # The third fades out until the transition's end; 636 to 956 is the nested sequence.
        [(13, 113), (165, 322), (322, 557), (636, 736), (736, 956)],
        [(15, 956)],
        # Cut in the middle of the transition from 1152 to 1177.
        [(956, 1164), (1164, 1246)],
    ]
    last = found.timeline.tracks[3].clips()[1][1]
    assert last.source_in_s == Fraction(6 + 1164 - 1152, 30)
    assert last.medium is not None
    assert last.medium.url == "file:///D:/media/sc01_sh010_anim.mov"
    assert found.timeline.tracks[2].clips()[0][1].medium is None
    assert "Transitions left out: 'Cross Dissolve' (2 times)." in found.losses
    assert any(
        loss.startswith("Sound without a picture left out: 'sc01_placeholder.wav'") for loss in found.losses
    )


def test_real_generators_are_clips_without_a_medium() -> None:
    timeline = sample("premiere_generators.xml").timeline
    assert timeline.rate.fps == Fraction(24000, 1001)
    (track,) = timeline.tracks
    assert [(first, clip.name) for first, clip in track.clips()] == [
        (0, "Universal Counting Leader"),
        (264, "Black Video"),
        (383, "Blue Matte"),
        (502, "HD Bars and Tone"),
        (621, "Transparent Video"),
        (737, "Graphic"),
    ]
    assert all(clip.medium is None for _, clip in track.clips())


def test_what_hiero_writes_as_version_5_is_read() -> None:
    found = sample("hiero_xml_export.xml")
    assert str(found.timeline.start) == "01:00:00:00"
    first, second = found.timeline.tracks[0].clips()
    assert (first[0], first[1].n_frames) == (14, 1055)
    assert first[1].medium is not None
    assert (str(first[1].medium.start), first[1].medium.width) == ("12:44:37:23", 3424)
    assert (second[0], second[1].source_in_s) == (1085, 13600)
    assert found.losses == ("Changed speed left out: '/'.",)


def test_a_real_empty_sequence_is_a_timeline_of_nothing() -> None:
    found = sample("sample_just_track.xml")
    assert (found.timeline.name, found.timeline.n_frames) == ("sc01_sh010_layerA", 0)
    assert found.losses == ()


# --- what others write --------------------------------------------------------------------------

RATE = "<rate><ntsc>FALSE</ntsc><timebase>25</timebase></rate>"
FILE = f"""<file id="f"><name>ride.mp4</name><pathurl>/media/ride.mp4</pathurl>{RATE}<duration>500</duration>
  <timecode><string>00:00:10:00</string></timecode></file>"""


def sequence(tracks: str, more: str = "", rate: str = RATE) -> str:
    return f"""<xmeml version="4"><sequence id="s"><name>S</name>{rate}
      <media><video>{tracks}</video></media>{more}</sequence></xmeml>"""


def item(start: int, end: int, cut_in: int, more: str = "", file: str = '<file id="f"/>') -> str:
    return f"""<clipitem id="c{start}"><name>{start}</name>{RATE}<start>{start}</start><end>{end}</end>
      <in>{cut_in}</in><out>{cut_in + 50}</out>{file}{more}</clipitem>"""


def marker(frame: int, more: str = "") -> str:
    return f"<marker><name>M{frame}</name><in>{frame}</in>{more}</marker>"


def test_a_file_is_known_by_its_id_wherever_it_is_described(tmp_path: Path) -> None:
    text = sequence(f"<track>{item(0, 50, 10)}{item(50, 100, 0, file=FILE)}</track>")
    first, second = (clip for _, clip in back(text, tmp_path).timeline.tracks[0].clips())
    assert first.medium == second.medium
    assert first.medium is not None
    assert (first.medium.url, str(first.medium.start)) == ("file:///media/ride.mp4", "00:00:10:00")


def test_clip_markers_outside_the_cut_are_told_by_name(tmp_path: Path) -> None:
    more = marker(9) + marker(10) + marker(59, "<out>80</out>") + marker(60)
    found = back(sequence(f"<track>{item(0, 50, 10, more, FILE)}</track>"), tmp_path)
    ((_, clip),) = found.timeline.tracks[0].clips()
    assert [(m.name, m.frame, m.n_frames) for m in clip.markers] == [("M10", 0, 1), ("M59", 49, 21)]
    assert found.losses == ("Outside the visible part of their clips, left out: 'M9', 'M60'.",)


def test_colours_are_read_however_they_are_written(tmp_path: Path) -> None:
    final_cut = "<color><alpha>0</alpha><red>210</red><green>44</green><blue>54</blue></color>"
    colours = "".join(
        marker(k, more)
        for k, more in enumerate(
            ["", "<pproColor>4294741314</pproColor>", "<pproColor>4278190335</pproColor>", final_cut]
        )
    )
    found = back(sequence("", colours), tmp_path)
    assert [m.colour for m in found.timeline.markers] == ["Green", "Blue", "#ff0000", "Red"]


def test_a_nested_sequence_shows_what_falls_within_its_cut(tmp_path: Path) -> None:
    inner = f"""<sequence id="n"><name>N</name><rate><timebase>50</timebase></rate><media><video><track>
      <clipitem id="x"><name>x</name>{RATE}<start>0</start><end>200</end><in>0</in><out>100</out>{FILE}
      {marker(30)}{marker(90)}</clipitem></track></video></media>{marker(10)}{marker(100)}{marker(150)}</sequence>"""
    outer = f"""<clipitem id="o"><name>o</name>{RATE}<start>100</start><end>140</end><in>25</in><out>65</out>
      {inner}{marker(45)}</clipitem>"""
    found = back(sequence(f"<track>{outer}</track>"), tmp_path)
    # One second into the nested sequence, which counts 50 a second.
    assert [(m.frame, m.name) for m in found.timeline.markers] == [(120, "M45"), (125, "M100")]
    ((first, clip),) = found.timeline.tracks[0].clips()
    assert (first, clip.n_frames, clip.source_in_s) == (100, 40, 1)
    assert [(m.frame, m.name) for m in clip.markers] == [(5, "M30")]
    hidden = "Outside the visible part of their clips, left out: 'M10', 'M150', 'M90'."
    assert found.losses == (hidden,)


def test_the_first_sequence_that_holds_anything_is_read(tmp_path: Path) -> None:
    empty = f'<sequence id="e"><name>Empty</name>{RATE}<media/></sequence>'
    full = sequence("", marker(3)).replace('<xmeml version="4">', "").replace("</xmeml>", "")
    other = full.replace('id="s"><name>S', 'id="t"><name>T')
    in_bin = f"<bin><children>{empty}{full}{other}</children></bin>"
    text = f'<xmeml version="5"><project><children>{in_bin}</children></project></xmeml>'
    found = back(text, tmp_path)
    assert (found.timeline.name, [m.frame for m in found.timeline.markers]) == ("S", [3])
    assert found.losses == ("Other sequences in the file left out: 'Empty', 'T'.",)


def test_drop_frame_is_read_from_the_frame_or_the_timecode(tmp_path: Path) -> None:
    rate = "<rate><timebase>30</timebase><ntsc>TRUE</ntsc></rate>"
    for said in ("<frame>107892</frame>", "<string>01:00:00;00</string>", "<string>01:00:00:00</string>"):
        timecode = f"<timecode>{rate}{said}<displayformat>DF</displayformat></timecode>"
        assert str(back(sequence("", timecode, rate), tmp_path).timeline.start) == "01:00:00;00"


def test_markers_of_what_is_not_shown_stay_on_the_timeline(tmp_path: Path) -> None:
    off = item(0, 50, 10, "<enabled>FALSE</enabled>" + marker(20), FILE)
    sound = item(60, 90, 0, marker(7))
    audio = f"</video><audio><track>{sound}</track><track>{sound}</track></audio><video>"
    found = back(sequence(f"<track>{off}</track>{audio}"), tmp_path)
    assert [(m.frame, m.name) for m in found.timeline.markers] == [(10, "M20"), (67, "M7")]
    assert found.losses == (
        "Disabled clips left out: '0'.",
        "Sound without a picture left out: '60' (2 times).",
    )


def test_a_disabled_track_is_not_shown_but_its_markers_are(tmp_path: Path) -> None:
    effect = "<filter><effect><name>{}</name></effect></filter>"
    shown = item(0, 50, 0, 2 * effect.format("Blur"), FILE)
    off = item(10, 50, 10, effect.format("Glow") + marker(20))
    tracks = f"<track>{shown}</track><track>{off}<enabled> false </enabled></track>"
    empty = "<track><enabled>FALSE</enabled></track>"
    found = back(sequence(tracks + empty), tmp_path)
    (track,) = found.timeline.tracks
    assert [(first, clip.name) for first, clip in track.clips()] == [(0, "0")]
    assert [(m.frame, m.name) for m in found.timeline.markers] == [(20, "M20")]
    assert found.losses == ("Effects left out: 'Blur'.", "Disabled tracks left out: 'Video 2'.")


@pytest.mark.parametrize(
    ("on_track", "on_clip", "said"),
    [
        ("<enabled>FALSE</enabled>", "", "Disabled tracks left out: 'Video 1'."),
        ("", "<enabled>FALSE</enabled>", "Disabled clips left out: '100'."),
    ],
)
def test_a_disabled_nested_sequence_shows_nothing_but_its_markers(
    on_track: str, on_clip: str, said: str, tmp_path: Path
) -> None:
    clip = item(0, 50, 0, marker(20), FILE)
    nested = f"""<sequence id="n"><name>Nested</name>{RATE}<media><video><track>{clip}</track></video></media>
      {marker(30)}</sequence>"""
    found = back(sequence(f"<track>{item(100, 150, 0, on_clip, nested)}{on_track}</track>"), tmp_path)
    assert found.timeline.tracks == ()
    assert [(m.frame, m.name) for m in found.timeline.markers] == [(120, "M20"), (130, "M30")]
    assert found.losses == (said,)


def test_a_sequence_without_a_rate_takes_the_one_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "run.xml"
    path.write_text(sequence("", marker(3), rate=""), encoding="utf-8")
    assert premiere.read(path, PAL).timeline.rate == PAL
    with pytest.raises(MarkerError, match=r"this sequence does not tell its frame rate; give it with --fps"):
        premiere.read(path)


# --- bad input ----------------------------------------------------------------------------------

SELF = '<clipitem><start>0</start><end>9</end><in>0</in><out>9</out><sequence id="s"/></clipitem>'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not readable as XML"),
        ("<fcpxml/>", "begins with <fcpxml>, not <xmeml>"),
        ('<xmeml version="4"><bin/></xmeml>', "holds no sequence; export the sequence itself"),
        (sequence("", marker(-4)), "this marker stands at frame -4"),
        (sequence("", "<marker><in>x</in></marker>"), "this marker has no number in in but 'x'"),
        (sequence("", "<marker><in>NaN</in></marker>"), "no number in in but 'NaN'"),
        (sequence("", marker(10**13)), "beyond any timeline"),
        (sequence("", marker(1, "<color><red>999</red></color>")), "has a colour that is none"),
        (sequence("", rate="<rate><timebase>0</timebase></rate>"), "A frame rate lies above 0"),
        (sequence("", rate="<rate><timebase>fast</timebase></rate>"), "'fast' is not a frame rate"),
        (sequence("", "<timecode><string>99:00:00:00</string></timecode>"), "does not exist at 25"),
        (sequence(f"<track>{SELF}</track>"), "nested deeper than any edit"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_sentence(
    text: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(MarkerError, match=r"run\.xml") as error:
        back(text, tmp_path)
    assert sentence in str(error.value)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), n_changes=st.integers(1, 8))
def test_a_damaged_file_gives_a_reading_or_a_sentence(
    seed: int, n_changes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    text = GOLDEN
    for _ in range(n_changes):
        at = chance.randrange(len(text))
        kept = chance.choice([0, 1, 2, 20])
        text = text[:at] + chance.choice(["", "0", "-", "9" * 12, ".", ";", "<in/>", "é"]) + text[at + kept :]
    with suppress(MtbsyncError):
        assert isinstance(back(text, tmp_path_factory.mktemp("damaged")), Reading)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for length in range(0, len(GOLDEN) - 12, 97):
        with pytest.raises(MarkerError):
            back(GOLDEN[:length], tmp_path)
