"""A Final Cut Pro project of one multicam clip, whose angles are the timeline's tracks.

One track, the first unless told otherwise, is the angle that is seen and heard until the editor switches.
`fcpxml` reads it back, as it reads any multicam clip: the angle that is seen.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from lxml import etree

from mtbsync_integrations.formats import Export, fcpxml, xml
from mtbsync_integrations.formats.fcpxml_parts import Document, time_text
from mtbsync_integrations.timeline import Timeline

SUFFIX = fcpxml.SUFFIX
CARRIES = replace(fcpxml.CARRIES, name=lambda _: "", comment=None, track_names=True)


def encode(timeline: Timeline, version: str = fcpxml.VERSION, *, seen: int = 0) -> Export:
    """The timeline, which has a track at least and no markers, in FCPXML `version` 1.8 to 1.13. `seen` says
    which track is, counted from 0."""
    rate, lasts_s = timeline.rate, timeline.n_frames / timeline.rate.fps
    document = Document(timeline, version, timeline.n_frames)
    resources = document.resources
    name = xml.one_line(timeline.name)
    media_id, media = resources.add_media(name)
    # The angles' own time begins at zero, so that it does not matter whether it counts from the timecode.
    multicam = etree.SubElement(
        media,
        "multicam",
        format=resources.format(rate, timeline.width, timeline.height),
        duration=time_text(lasts_s, rate),
        tcStart="0s",
        tcFormat="NDF",
    )
    for number, track in enumerate(timeline.tracks, start=1):
        angle = etree.SubElement(
            multicam, "mc-angle", name=xml.one_line(track.name), angleID=_angle_id(number)
        )
        frame = 0
        for item in track.items:
            document.add(angle, item, frame / rate.fps)
            frame += item.n_frames
    clip = etree.SubElement(
        document.spine,
        "mc-clip",
        ref=media_id,
        offset=time_text(timeline.start.frame / rate.fps, rate),
        name=name,
        start=time_text(Fraction(0), rate),
        duration=time_text(lasts_s, rate),
    )
    etree.SubElement(clip, "mc-source", angleID=_angle_id(seen + 1), srcEnable="all")
    return Export(((SUFFIX, document.text()),), document.doubts())


def _angle_id(number: int) -> str:
    return f"mtbsync-{number}"
