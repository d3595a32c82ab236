"""Plain MLT, Shotcut and Kdenlive: one way of writing tracks, three ways of saying the rest."""

from __future__ import annotations

import os
import shutil
import subprocess
import wave
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import export, get_format
from mtbsync_integrations.media_urls import url_of
from mtbsync_integrations.timeline import Clip, Gap, Medium, Reading, Timeline, TimelineMarker, Track
from support.timelines import STARTS, one_clip, point, rich
from support.videos import Image, write_video

DIALECTS = ["mlt", "shotcut", "kdenlive"]
PAL = Rate(Fraction(25))
NTSC = Rate(Fraction(30000, 1001))
ZERO = Timecode(0, PAL)
PROFILE = '<profile width="1920" height="1080" frame_rate_num="25" frame_rate_den="1"/>'

MELT = shutil.which("melt")
needs_melt = pytest.mark.skipif(MELT is None, reason="melt is not installed")


def written(name: str, timeline: Timeline) -> str:
    ((_, text),) = export(name, timeline).files
    return text


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Reading]:
    def read_text(text: str) -> Reading:
        path = tmp_path / "Run 12.mlt"
        path.write_text(text, encoding="utf-8")
        return get_format("mlt").read(path)

    return read_text


def mlt(*parts: str, root: str = "", profile: str = PROFILE) -> str:
    return f"<mlt {root}>{profile}{''.join(parts)}</mlt>"


def props(**known: object) -> str:
    return "".join(
        f'<property name="{name.replace("__", ":")}">{value}</property>' for name, value in known.items()
    )


# --- what is written ----------------------------------------------------------------------------


def short_run() -> Timeline:
    medium = Medium("GX01.MP4", "file:///media/Run%2012/GX01.MP4", ZERO, 100, 1920, 1080, has_audio=True)
    items = (
        Gap(5),
        Clip("GX01.MP4", 50, medium, Fraction(2)),
        Clip("GX01.MP4", 10, medium, speed=Fraction(2)),
    )
    markers = (
        TimelineMarker(7, name="Gap jump", colour="Red", comment="brake"),
        TimelineMarker(30, 5, name="Rock garden", colour="Green"),
    )
    return Timeline("Run 12", ZERO, (Track("V1", items),), markers, width=1920, height=1080)


HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<mlt LC_NUMERIC="C" version="7.12.0" producer="timeline">\n'
    '  <profile description="1920x1080 25 fps" width="1920" height="1080" progressive="1" '
    'sample_aspect_num="1" sample_aspect_den="1" display_aspect_num="16" display_aspect_den="9" '
    'frame_rate_num="25" frame_rate_den="1" colorspace="709"/>\n'
)


def test_plain_mlt_reads_exactly_like_this() -> None:
    assert written("mlt", short_run()) == HEAD + (
        '  <producer id="producer0" in="0" out="99">\n'
        '    <property name="length">100</property>\n'
        '    <property name="eof">pause</property>\n'
        '    <property name="resource">/media/Run 12/GX01.MP4</property>\n'
        '    <property name="mlt_service">avformat</property>\n'
        '    <property name="meta.media.width">1920</property>\n'
        '    <property name="meta.media.height">1080</property>\n'
        "  </producer>\n"
        '  <producer id="producer1" in="0" out="49">\n'
        '    <property name="length">50</property>\n'
        '    <property name="eof">pause</property>\n'
        '    <property name="resource">2:/media/Run 12/GX01.MP4</property>\n'
        '    <property name="mlt_service">timewarp</property>\n'
        '    <property name="warp_speed">2</property>\n'
        '    <property name="warp_resource">/media/Run 12/GX01.MP4</property>\n'
        '    <property name="warp_pitch">0</property>\n'
        '    <property name="meta.media.width">1920</property>\n'
        '    <property name="meta.media.height">1080</property>\n'
        "  </producer>\n"
        '  <playlist id="playlist0">\n'
        '    <property name="mtbsync:name">V1</property>\n'
        '    <blank length="5"/>\n'
        '    <entry producer="producer0" in="50" out="99"/>\n'
        '    <entry producer="producer1" in="0" out="9"/>\n'
        "  </playlist>\n"
        '  <tractor id="timeline" title="Run 12">\n'
        '    <property name="mtbsync:start">00:00:00:00</property>\n'
        '    <property name="mtbsync:markers">'
        '[{"frame": 7, "n_frames": 1, "name": "Gap jump", "colour": "Red", "comment": "brake", '
        '"id": "mbe3daa04619f", "kind": "standard"}, '
        '{"frame": 30, "n_frames": 5, "name": "Rock garden", "colour": "Green", "comment": "", '
        '"id": "m0c02d7e5dbf3", "kind": "standard"}]</property>\n'
        '    <track producer="playlist0"/>\n'
        "  </tractor>\n"
        "</mlt>\n"
    )


def test_shotcut_gets_a_background_and_its_markers() -> None:
    text = written("shotcut", short_run())
    assert (
        '  <tractor id="tractor0" title="mtbsync" in="0" out="64">\n'
        '    <property name="shotcut">1</property>\n'
        '    <property name="shotcut:projectAudioChannels">2</property>\n'
        '    <properties name="shotcut:markers">\n'
        '      <properties name="0">\n'
        '        <property name="text">Gap jump | brake</property>\n'
        '        <property name="start">00:00:00.280</property>\n'
        '        <property name="end">00:00:00.280</property>\n'
        '        <property name="color">#E12401</property>\n'
        "      </properties>\n"
        '      <properties name="1">\n'
        '        <property name="text">Rock garden</property>\n'
        '        <property name="start">00:00:01.200</property>\n'
        '        <property name="end">00:00:01.360</property>\n'
        '        <property name="color">#00AD00</property>\n'
        "      </properties>\n"
        "    </properties>\n"
        '    <track producer="background"/>\n'
        '    <track producer="playlist0"/>\n'
    ) in text
    assert '<property name="shotcut:video">1</property>\n    <property name="shotcut:name">V1<' in text


def test_kdenlive_gets_guides_with_the_types_of_its_categories() -> None:
    text = written("kdenlive", short_run())
    assert (
        '<property name="kdenlive:sequenceproperties.guides">'
        '[{"comment": "Gap jump | brake", "duration": 0, "pos": 7, "type": 8}, '
        '{"comment": "Rock garden", "duration": 5, "pos": 30, "type": 3}]</property>'
    ) in text
    assert '{"color": "#da4453", "comment": "Red", "index": 8}' in text
    assert '<property name="kdenlive:docproperties.version">1.1</property>' in text


def test_sound_has_tracks_of_its_own_in_kdenlive_and_moves_with_its_pictures(
    read: Callable[[str], Reading],
) -> None:
    text = written("kdenlive", short_run())
    assert text.count('<entry producer="audio0" in="50" out="99">') == 1
    assert text.count('<entry producer="video0" in="50" out="99">') == 1
    assert '{"data": "1:5", "leaf": "clip", "type": "Leaf"}, {"data": "0:5"' in text
    assert read(text).losses == ()


def test_media_without_sound_are_told_to_have_none() -> None:
    silent = one_clip(ZERO)
    (track,) = silent.tracks
    (clip,) = track.clips()
    medium = replace(clip[1].medium, has_audio=False)  # type: ignore[type-var]
    quiet = replace(silent, tracks=(replace(track, items=(replace(clip[1], medium=medium),)),))
    for name in DIALECTS:
        assert '<property name="audio_index">-1</property>' in written(name, quiet)
        assert '<property name="audio_index">' not in written(name, silent)
    assert 'producer="audio' not in written("kdenlive", quiet)


def test_editors_with_one_text_for_a_marker_say_so() -> None:
    assert any("Shotcut has one text" in loss for loss in export("shotcut", short_run()).losses)
    assert any("Kdenlive has one text" in loss for loss in export("kdenlive", short_run()).losses)
    assert "MLT has no markers: only mtbsync reads these." in export("mlt", short_run()).losses


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("rate", ["24000/1001", "120000/1001", "240"])
def test_the_rate_is_written_as_its_fraction(name: str, rate: str) -> None:
    fps = Fraction(rate)
    text = written(name, one_clip(Timecode(0, Rate(fps)), point(3)))
    assert f'frame_rate_num="{fps.numerator}" frame_rate_den="{fps.denominator}"' in text


def test_a_speed_without_an_end_as_a_decimal_keeps_its_fraction(read: Callable[[str], Reading]) -> None:
    timeline = short_run()
    slow = replace(timeline.tracks[0].items[2], speed=Fraction(1, 3))  # type: ignore[type-var]
    timeline = replace(timeline, tracks=(Track("V1", (slow,)),))
    text = written("mlt", timeline)
    assert '<property name="warp_speed">0.333333333333333</property>' in text
    assert '<property name="mtbsync:speed">1/3</property>' in text
    assert read(text).timeline.tracks[0].items == (slow,)


# --- what is rendered ---------------------------------------------------------------------------


def numbered(number: int) -> Image:
    """A picture that shows its number in eight stripes, black for 0 and white for 1."""
    stripes = [235 if number >> bit & 1 else 16 for bit in range(8)]
    return np.tile(np.repeat(np.array(stripes, np.uint8), 32), (32, 1))


def number_of(picture: Image) -> int:
    height, width = picture.shape
    stripes = picture[height // 2, width // 16 :: width // 8]
    return sum(1 << bit for bit, grey in enumerate(stripes) if grey > 128)


def rendered(project: Path) -> Path:
    """What melt makes of a project, without loss."""
    assert MELT is not None
    video = project.with_suffix(".mkv")
    # All of it: asked for a single frame, melt 7.12 sometimes never ends.
    subprocess.run(
        [MELT, "-quiet", project, "-consumer", f"avformat:{video}", "vcodec=ffv1", "acodec=pcm_s16le"],
        check=True,
        timeout=120,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen", "SDL_VIDEODRIVER": "dummy"},
    )
    return video


@pytest.fixture(scope="module")
def every_speed(tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    """Two tracks of one real video, with a marker on each frame whose picture is known: its name."""
    path = tmp_path_factory.mktemp("numbered") / "Größe 50% #1.mp4"
    write_video(path, (numbered(k) for k in range(200)), 25)
    medium = Medium(path.name, url_of(path), ZERO, 200, 256, 32)

    def clip(n_frames: int, first: int, speed: str) -> Clip:
        return Clip(path.name, n_frames, medium, Fraction(first, 25), Fraction(speed))

    lower = (
        Gap(5),
        clip(10, 20, "1"),
        clip(10, 40, "2"),
        clip(10, 100, "-1"),
        clip(10, 120, "-2"),
        clip(10, 77, "0"),
        clip(12, 60, "1/3"),
    )
    shows = {
        5: 20,
        14: 29,
        15: 40,
        24: 58,
        25: 100,
        34: 91,
        35: 120,
        44: 102,
        45: 77,
        54: 77,
        55: 60,
        60: 150,
    }
    markers = tuple(point(frame, str(number)) for frame, number in shows.items())
    upper = (Gap(60), clip(3, 150, "1"))
    return Timeline("T", ZERO, (Track("V1", lower), Track("V2", upper)), markers, width=256, height=32)


@needs_melt
@pytest.mark.parametrize("name", DIALECTS)
def test_melt_shows_the_right_picture_at_every_marker(
    name: str, every_speed: Timeline, tmp_path: Path
) -> None:
    project = tmp_path / f"run{get_format(name).SUFFIX}"
    project.write_text(written(name, every_speed), encoding="utf-8")
    with av.open(str(rendered(project))) as container:
        pictures = [number_of(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    assert len(pictures) == every_speed.n_frames
    markers = get_format(name).read(project).timeline.markers
    assert {m.frame: pictures[m.frame] for m in markers} == {m.frame: int(m.name) for m in markers}
    assert len(markers) == len(every_speed.markers)


@needs_melt
@pytest.mark.parametrize("name", DIALECTS)
def test_melt_plays_the_sound_of_clips_that_run_and_of_no_others(name: str, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "tone.wav"), "wb") as tone:
        tone.setparams((1, 2, 48_000, 0, "NONE", ""))
        tone.writeframes((8000 * np.sin(np.arange(4 * 48_000) / 20)).astype("<i2").tobytes())
    medium = Medium("tone.wav", url_of(tmp_path / "tone.wav"), ZERO, 100, has_audio=True)
    silent = replace(medium, name="silent", has_audio=False)
    clips = [
        Clip("runs", 25, medium),
        Gap(25),
        Clip("held", 25, medium, speed=Fraction(0)),
        Clip("faster", 25, medium, speed=Fraction(2)),
        Clip("silent", 25, silent),
    ]
    timeline = Timeline("T", ZERO, (Track("V1", tuple(clips)),), width=64, height=64)
    project = tmp_path / f"run{get_format(name).SUFFIX}"
    project.write_text(written(name, timeline), encoding="utf-8")
    with av.open(str(rendered(project))) as container:
        samples = np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])
    # Without the tenth of a second at either end, where codecs and filters swing out.
    seconds = [part[len(part) // 10 : -len(part) // 10] for part in np.array_split(samples.astype(float), 5)]
    assert [bool(np.abs(part).max() > 1000) for part in seconds] == [True, False, False, True, False]


# --- what is read -------------------------------------------------------------------------------

PRODUCER = (
    f'<producer id="p" out="99">{props(length=100, resource="/v/a.mp4", mlt_service="avformat")}</producer>'
)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("10", "34"),
        ("00:00:00.400", "00:00:01.360"),
        ("00:00:00,400", "00:00:01,360"),
        ("00:00:00:10", "00:00:01:09"),
    ],
)
def test_times_are_frames_clock_times_or_timecode(
    first: str, last: str, read: Callable[[str], Reading]
) -> None:
    playlist = f'<playlist id="l"><entry producer="p" in="{first}" out="{last}"/></playlist>'
    (track,) = read(mlt(PRODUCER, playlist)).timeline.tracks
    (item,) = track.items
    assert isinstance(item, Clip)
    assert (item.n_frames, item.source_in_s) == (25, Fraction(10, 25))


def test_an_entry_without_ends_plays_all_of_its_producer(read: Callable[[str], Reading]) -> None:
    (track,) = read(mlt(PRODUCER, '<playlist id="l"><entry producer="p"/></playlist>')).timeline.tracks
    assert track.n_frames == 100


@pytest.mark.parametrize(
    ("root", "resource", "url"),
    [
        ("", "/v/a b.mp4", "file:///v/a%20b.mp4"),
        ('root="/proj"', "clips/a.mp4", "file:///proj/clips/a.mp4"),
        ('root="C:/proj"', "clips/a.mp4", "file:///C:/proj/clips/a.mp4"),
        ("", "C:\\v\\a.mp4", "file:///C:/v/a.mp4"),
        ("", "https://example.org/a.mp4", "https://example.org/a.mp4"),
    ],
)
def test_media_are_found_wherever_they_were(
    root: str, resource: str, url: str, read: Callable[[str], Reading]
) -> None:
    producer = f'<producer id="p" out="9">{props(resource=resource)}</producer>'
    text = mlt(producer, '<playlist id="l"><entry producer="p"/></playlist>', root=root)
    (_, clip), *_ = read(text).timeline.tracks[0].clips()
    assert clip.medium is not None
    assert clip.medium.url == url


def test_a_relative_path_without_a_root_is_beside_the_file(
    read: Callable[[str], Reading], tmp_path: Path
) -> None:
    producer = f'<producer id="p" out="9">{props(resource="a.mp4")}</producer>'
    (_, clip), *_ = (
        read(mlt(producer, '<playlist><entry producer="p"/></playlist>')).timeline.tracks[0].clips()
    )
    assert clip.medium is not None
    assert clip.medium.url == url_of(tmp_path / "a.mp4")


def test_shotcuts_project_is_read_with_its_markers_and_without_its_background(
    read: Callable[[str], Reading],
) -> None:
    text = mlt(
        f'<producer id="black" out="999">{props(resource=0, mlt_service="color")}</producer>',
        '<playlist id="background"><entry producer="black" in="0" out="99"/></playlist>',
        f'<chain id="c" out="00:00:03.960">{props(length="00:00:04.000", resource="/v/a.mp4")}</chain>',
        '<producer id="w" out="199">',
        props(resource="0.5:/v/a.mp4", mlt_service="timewarp", warp_speed=0.5, warp_resource="/v/a.mp4"),
        "</producer>",
        f'<playlist id="playlist0">{props(shotcut__video=1, shotcut__name="V1")}'
        '<blank length="00:00:01.000"/><entry producer="c" in="00:00:00.400" out="00:00:01.360"/>'
        '<entry producer="w" in="20" out="29"/></playlist>',
        f'<playlist id="playlist1">{props(shotcut__audio=1, shotcut__name="A1")}',
        '<entry producer="c"/></playlist>',
        f'<tractor id="t" title="Shotcut version 24.11.17">{props(shotcut=1)}',
        '<properties name="shotcut:markers"><properties name="0">',
        props(text="Marker 1", start="00:00:01.480", end="00:00:01.480", color="#008000"),
        '</properties><properties name="1">',
        props(text="a | b", start="00:00:02.000", end="00:00:02.360", color="#e12401"),
        "</properties></properties>",
        '<track producer="background"/><track producer="playlist0"/>'
        '<track producer="playlist1" hide="video"/></tractor>',
        root='producer="main_bin" title="Shotcut version 24.11.17"',
    )
    reading = read(text)
    (track,) = reading.timeline.tracks
    assert track.name == "V1"
    assert [(frame, clip.n_frames, clip.source_in_s, clip.speed) for frame, clip in track.clips()] == [
        (25, 25, Fraction(10, 25), 1),
        (50, 10, Fraction(20, 50), Fraction(1, 2)),
    ]
    assert [(m.frame, m.n_frames, m.name, m.comment, m.colour) for m in reading.timeline.markers] == [
        (37, 1, "Marker 1", "", "#008000"),
        (50, 10, "a", "b", "Red"),
    ]
    assert reading.timeline.name == "Run 12"
    assert reading.losses == ("Tracks with nothing but sound left out: 'A1'.",)


def kdenlive(guides: str = "[]", bin_guides: str = "", clip_markers: str = "[]", main: str = "{b}") -> str:
    """Two sequences in one bin; the first plays the second, and dissolves."""
    known = props(length=100, resource="/v/a.mp4", kdenlive__id=4, kdenlive__markers=clip_markers)
    return mlt(
        f'<producer id="bin" out="99">{known}</producer>',
        f'<producer id="use" out="99">{props(resource="/v/a.mp4", kdenlive__id=4)}</producer>',
        '<playlist id="a0"><entry producer="use" in="0" out="29"/></playlist>'
        '<playlist id="a1"><blank length="20"/><entry producer="use" in="50" out="79"/></playlist>',
        f'<tractor id="ta">{props(kdenlive__track_name="Trail")}<track producer="a0" hide="audio"/>'
        '<track producer="a1" hide="audio"/>'
        f'<transition in="20" out="29">{props(mlt_service="luma")}</transition></tractor>',
        f'<tractor id="{{a}}">{props(kdenlive__uuid="{a}", kdenlive__clipname="Inner")}<track producer="ta"/>'
        "</tractor>",
        '<playlist id="b0"><entry producer="{a}" in="10" out="39"/></playlist><playlist id="b1"/>',
        '<tractor id="tb"><track producer="b0" hide="audio"/><track producer="b1" hide="audio"/></tractor>',
        f'<tractor id="{{b}}">{props(kdenlive__uuid="{b}", kdenlive__clipname="Outer")}'
        f'<property name="kdenlive:sequenceproperties.guides">{guides}</property>',
        '<track producer="tb"/></tractor>',
        '<playlist id="main_bin">',
        f'<property name="kdenlive:docproperties.activetimeline">{main}</property>',
        f'<property name="kdenlive:docproperties.guides">{bin_guides}</property>',
        '<property name="kdenlive:docproperties.guidesCategories">'
        '[{"color": "#123456", "comment": "Mine", "index": 0},'
        ' {"color": "#da4453", "comment": "x", "index": 8}]'
        '</property><entry producer="bin"/><entry producer="{a}"/><entry producer="{b}"/></playlist>',
        root='producer="main_bin"',
    )


def test_kdenlives_dissolves_and_nested_sequences_are_flattened(read: Callable[[str], Reading]) -> None:
    reading = read(kdenlive())
    (track,) = reading.timeline.tracks
    assert [(frame, clip.n_frames, clip.source_in_s) for frame, clip in track.clips()] == [
        (0, 10, Fraction(10, 25)),
        (10, 20, Fraction(50, 25)),
    ]
    assert reading.timeline.name == "Outer"
    assert reading.losses == ("Transitions left out: 'luma'.",)


def test_the_sequence_that_was_last_open_is_read_and_the_others_are_named(
    read: Callable[[str], Reading],
) -> None:
    reading = read(kdenlive(main="{a}"))
    assert (reading.timeline.name, reading.timeline.tracks[0].name) == ("Inner", "Trail")
    assert reading.losses == ("Transitions left out: 'luma'.", "Other sequences left out: 'Outer'.")


def test_guides_have_the_colours_of_their_categories(read: Callable[[str], Reading]) -> None:
    guides = (
        '[{"pos": 30, "comment": "x", "type": 0, "duration": 12}, {"pos": 3, "comment": "y | z", "type": 8}]'
    )
    markers = read(kdenlive(guides)).timeline.markers
    assert [(m.frame, m.n_frames, m.name, m.comment, m.colour) for m in markers] == [
        (3, 1, "y", "z", "Red"),
        (30, 12, "x", "", "#123456"),
    ]


def test_guides_of_old_documents_lie_in_the_bin(read: Callable[[str], Reading]) -> None:
    text = kdenlive(bin_guides='[{"pos": 9, "comment": "old", "type": 1}]').replace(
        '<property name="kdenlive:sequenceproperties.guides">[]</property>', ""
    )
    assert [(m.frame, m.name, m.colour) for m in read(text).timeline.markers] == [(9, "old", "Blue")]


def test_markers_on_footage_stand_on_the_clips_that_show_them(read: Callable[[str], Reading]) -> None:
    on_footage = (
        '[{"pos": 12, "comment": "seen"}, {"pos": 55, "comment": "too"}, {"pos": 45, "comment": "cut out"}]'
    )
    reading = read(kdenlive(clip_markers=on_footage))
    clips = [clip for _, clip in reading.timeline.tracks[0].clips()]
    assert [[(m.frame, m.name) for m in clip.markers] for clip in clips] == [[(2, "seen")], [(5, "too")]]
    assert "Markers on footage that the timeline does not show: 'cut out'." in reading.losses


def test_a_list_of_kdenlives_markers_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "guides.json"
    path.write_text(
        '[{"pos": 30, "comment": "b"}, {"pos": 3, "comment": "a", "duration": 5}]', encoding="utf-8"
    )
    reading = get_format("kdenlive").read(path, NTSC, Timecode.parse("01:00:00;00", NTSC))
    assert [(m.frame, m.n_frames, m.name) for m in reading.timeline.markers] == [(3, 5, "a"), (30, 1, "b")]
    assert str(reading.timeline.start) == "01:00:00;00"
    with pytest.raises(MarkerError, match="give it with --fps"):
        get_format("kdenlive").read(path)


def test_what_only_its_editor_can_make_is_a_clip_without_a_medium(read: Callable[[str], Reading]) -> None:
    title = props(mlt_service="kdenlivetitle", kdenlive__clipname="Title", length=50)
    text = mlt(f'<producer id="p">{title}</producer>', '<playlist><entry producer="p"/></playlist>')
    assert read(text).timeline.tracks[0].items == (Clip("Title", 50, None),)


def test_effects_are_told_of_but_not_those_of_the_editor_itself(read: Callable[[str], Reading]) -> None:
    entry = (
        f'<entry producer="p"><filter>{props(mlt_service="sepia")}</filter>'
        f"<filter>{props(mlt_service='volume', internal_added=237)}</filter></entry>"
    )
    assert read(mlt(PRODUCER, f"<playlist>{entry}</playlist>")).losses == ("Effects left out: 'sepia'.",)


def test_an_entry_that_plays_nothing_is_left_empty(read: Callable[[str], Reading]) -> None:
    entries = '<entry producer="gone" in="0" out="9"/><entry producer="p" in="0" out="4"/>'
    reading = read(mlt(PRODUCER, f"<playlist>{entries}</playlist>"))
    assert [frame for frame, _ in reading.timeline.tracks[0].clips()] == [10]
    assert reading.losses == ("Left empty, as the file does not say what it is: 'gone'.",)


# --- bad files ----------------------------------------------------------------------------------

ENTRY = '<playlist id="l"><entry producer="p" in="{}" out="{}"/></playlist>'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<mlt", "is not readable as XML"),
        ("<svg/>", "begins with <svg>, not <mlt>"),
        ("<mlt/>", "has no profile, which tells the frame rate"),
        (mlt(profile='<profile frame_rate_num="25" frame_rate_den="0"/>'), "no frame rate that can be"),
        (mlt(profile='<profile frame_rate_num="0" frame_rate_den="1"/>'), "no frame rate that can be"),
        (mlt(profile='<profile frame_rate_num="nan"/>'), "no frame rate that can be"),
        (mlt(profile='<profile frame_rate_num="5000" frame_rate_den="1"/>'), "no frame rate that can be"),
        (mlt(PRODUCER), "has no timeline"),
        (mlt(PRODUCER, ENTRY.format("-5", "9")), "'-5' is not a time"),
        (mlt(PRODUCER, ENTRY.format("0", "9" * 30)), "'999999999999999999999999999999' is not a time"),
        (mlt(PRODUCER, ENTRY.format("00:00:61:99", "9")), "'00:00:61:99' is not a time"),
        (mlt('<playlist><blank length="nan"/></playlist>'), "'nan' is not a time"),
        (mlt('<playlist id="l"><entry producer="l"/></playlist>'), "'l' plays itself"),
        (mlt(PRODUCER.replace("avformat", "timewarp"), ENTRY.format(0, 1)), "'/v/a.mp4' is not a speed"),
        (
            mlt(PRODUCER.replace("avformat", "timewarp").replace("/v", "0:/v"), ENTRY.format(0, 1)),
            "'0' is not a sp",
        ),
        (kdenlive("{}"), "is not a list of markers"),
        (kdenlive("[" * 100_000), "is not a list of markers"),
        (kdenlive('[{"comment": "x"}]'), "a marker's 'pos' is not a number of frames"),
        (kdenlive('[{"pos": -1}]'), "a marker's 'pos' is not a number of frames"),
        (kdenlive('[{"pos": NaN}]'), "a marker's 'pos' is not a number of frames"),
        (kdenlive('[{"pos": 1, "comment": 7}]'), "a marker's 'comment' is not a text"),
    ],
    ids=range(21),
)
def test_a_bad_file_gets_one_sentence(text: str, sentence: str, read: Callable[[str], Reading]) -> None:
    with pytest.raises(MarkerError, match=sentence.replace("(", r"\(")):
        read(text)


def test_entities_are_refused(read: Callable[[str], Reading]) -> None:
    bomb = '<!DOCTYPE mlt [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    with pytest.raises(MarkerError, match="declares entities"):
        read(bomb + mlt(PRODUCER, "<playlist>&b;</playlist>"))
    outside = '<!DOCTYPE mlt [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    with pytest.raises(MarkerError, match="declares entities"):
        read(outside + mlt(PRODUCER, "<playlist>&a;</playlist>"))


def test_timelines_nested_to_bring_a_reader_down_are_refused(read: Callable[[str], Reading]) -> None:
    levels = [PRODUCER, '<playlist id="l0">' + 10 * '<entry producer="p" in="0" out="9"/>' + "</playlist>"]
    for k in range(1, 12):
        levels.append(f'<playlist id="l{k}">' + 10 * f'<entry producer="l{k - 1}"/>' + "</playlist>")
    with pytest.raises(MarkerError, match="holds more clips than any timeline"):
        read(mlt(*levels))


GOOD = {name: written(name, rich(STARTS[0])) for name in DIALECTS} | {
    "foreign": kdenlive('[{"pos": 3, "comment": "y", "type": 8, "duration": 4}]')
}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_but_never_breaks_the_reader(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = data.draw(st.sampled_from(sorted(GOOD.values())))
    first = data.draw(st.integers(0, len(text)))
    n_removed = data.draw(st.integers(0, 30))
    odd = [
        "",
        "0",
        "-1",
        "9" * 20,
        "1/0",
        "nan",
        "1e9",
        '"',
        "<",
        "&",
        "]",
        "{",
        "\0",
        "\ud7ff",
        "00:00:00.000",
    ]
    put_in = data.draw(st.sampled_from(odd) | st.text(st.characters(codec="utf-8"), max_size=5))
    path = tmp_path_factory.mktemp("damaged") / "run.mlt"
    path.write_text(text[:first] + put_in + text[first + n_removed :], encoding="utf-8")
    with suppress(MarkerError):
        assert isinstance(get_format("mlt").read(path), Reading)
