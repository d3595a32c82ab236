"""Shotcut's projects: MLT XML with a background below the tracks, and markers on the tractor."""

from __future__ import annotations

from pathlib import Path

from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, edl, mlt_xml, one_text
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.colours import RESOLVE
from mtbsync_integrations.formats.mlt_reading import read_mlt
from mtbsync_integrations.formats.xml import plain, written
from mtbsync_integrations.timeline import Reading, Timeline

NAME = "shotcut"
SUFFIX = ".mlt"
CARRIES = Carries(
    palette=RESOLVE,  # Shotcut takes any colour; these have names to come back to
    default_colour="Green",
    name=lambda text: one_text.fit_name(plain(text)),
    comment=lambda text: edl.one_line(plain(text)),
    lengths=True,
    start=False,
    default_size=mlt_xml.DEFAULT_SIZE,
    n_tracks=None,
    track_names=True,
    clip_name=plain,
    speeds=True,
    medium=mlt_xml.MEDIUM,
)


def encode(timeline: Timeline) -> Export:
    """The project, with all media in its playlist."""
    root = mlt_xml.document(timeline, producer="main_bin", title="mtbsync")
    sources = mlt_xml.Sources.of(timeline)
    ids = {source: f"producer{number}" for source, number in sources.numbers.items()}
    for source, producer_id in ids.items():
        shown = (
            source.medium.name if source.speed == 1 else f"{source.medium.name} ({float(source.speed):g}x)"
        )
        sources.add_producer(root, source, producer_id, {"shotcut:caption": shown})
    main_bin = mlt_xml.add(root, "playlist", id="main_bin")
    mlt_xml.add_properties(main_bin, {"xml_retain": 1})
    for source in sources.media():
        mlt_xml.add(main_bin, "entry", producer=ids[source])
    mlt_xml.add_black(root, "black")
    background = mlt_xml.add(root, "playlist", id="background")
    last = max(timeline.n_frames, 1) - 1
    mlt_xml.add(background, "entry", producer="black", **{"in": 0, "out": last})
    for number, track in enumerate(timeline.tracks):
        playlist = mlt_xml.add(root, "playlist", id=f"playlist{number}")
        mlt_xml.add_properties(playlist, {"shotcut:video": 1, "shotcut:name": track.name})
        sources.add_items(playlist, track, ids, {})
    tractor = mlt_xml.add(root, "tractor", id="tractor0", title="mtbsync", **{"in": 0, "out": last})
    mlt_xml.add_properties(tractor, {"shotcut": 1, "shotcut:projectAudioChannels": 2})
    markers = mlt_xml.add(tractor, "properties", name="shotcut:markers")
    for number, marker in enumerate(timeline.markers):
        text = one_text.joined(marker.name, marker.comment)
        ends = (marker.frame, marker.frame + marker.n_frames - 1)
        first, end = (_clock(frame, timeline.rate) for frame in ends)
        properties = mlt_xml.add(markers, "properties", name=number)
        red, green, blue = RESOLVE[marker.colour]
        colour = f"#{red:02X}{green:02X}{blue:02X}"
        mlt_xml.add_properties(properties, {"text": text, "start": first, "end": end, "color": colour})
    mlt_xml.add(tractor, "track", producer="background")
    for number in range(len(timeline.tracks)):
        mlt_xml.add(tractor, "track", producer=f"playlist{number}")
    for number in range(1, len(timeline.tracks) + 1):
        mlt_xml.add_transition(tractor, "mix", number, {"sum": 1})
        # Shotcut blends all tracks but the lowest of those with pictures.
        disable = {"disable": 1} if number == 1 else {}
        blend = {"version": 0.1, "threads": 0, **disable}
        mlt_xml.add_transition(tractor, "frei0r.cairoblend", number, blend)
    losses = mlt_xml.name_losses(timeline, "Shotcut")
    if any(marker.comment for marker in timeline.markers):
        losses += (f"Shotcut has one text for a marker: '{one_text.joined('name', 'comment')}'.",)
    return Export(((SUFFIX, written(root)),), losses)


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """The timeline of any dialect of MLT; Shotcut's begins at 00:00:00:00.

    Raises:
        MarkerError: the file cannot be understood.
    """
    return read_mlt(path)


def _clock(frame: int, rate: Rate) -> str:
    """A frame's start as MLT's clock time, which has milliseconds."""
    seconds, ms = divmod(round(frame / rate.fps * 1000), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"
