"""Scripts for editions of Resolve that run no Python: Lua with the markers embedded.

They run where a sandbox has taken files, processes, modules and sockets away, so everything they need is
in the one file. `markers.lua` is what they do; here the markers are put in front of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.resolve.words import CARRIES
from mtbsync_integrations.timeline import Timeline

REMOVE_TITLE = "Remove mtbsync markers"

_HEAD = "-- Written by mtbsync. It can be thrown away; `mtbsync resolve lua` writes it anew.\n"


def push_title(run: str) -> str:
    """What the menu calls the script that pushes the markers of `run`."""
    return f"Push markers of {run}"


def push_script(timeline: Timeline, run: str) -> tuple[str, tuple[str, ...]]:
    """A script that puts the timeline's markers where an open timeline shows the run, and sentences on what
    is lost on the way.

    The timeline is the run from its first picture to its last. Running the script again changes nothing; a
    later one for the same `run` moves, changes and removes what it wrote, and nothing else.
    """
    fit, losses = fitted(replace(timeline, tracks=()), CARRIES)
    run = run.replace("/", "_")
    markers = "".join(
        f"  {{ key = {quoted(f'{run}/{m.marker_id}')}, frame = {m.frame}, colour = {quoted(m.colour)}, "
        f"name = {quoted(m.name)}, note = {quoted(m.comment)}, n_frames = {m.n_frames} }},\n"
        for m in fit.markers
    )
    files = "".join(
        f"  {{ name = {quoted(clip.medium.name)}, first = {frame} }},\n"
        for track in timeline.tracks
        for frame, clip in track.clips()
        if clip.medium and clip.medium.url
    )
    rate = timeline.rate
    head = _head(push_title(run), quoted(run), f"{float(rate.fps):.3f}", rate.nominal)
    return f"{head}local FILES = {{\n{files}}}\nlocal WANTED = {{\n{markers}}}\n\n{_body()}", losses


def remove_script() -> str:
    """A script that takes away every marker of mtbsync that the user has not changed, of any run."""
    return f"{_head(REMOVE_TITLE, 'nil', 'nil', 0)}local FILES = {{}}\nlocal WANTED = {{}}\n\n{_body()}"


def quoted(text: str) -> str:
    """A Lua string for any text at all: plain ASCII, everything unusual as the bytes of its UTF-8."""
    return '"' + "".join(_escaped(byte) for byte in text.encode("utf-8", "replace")) + '"'


def _escaped(byte: int) -> str:
    plain = 0x20 <= byte < 0x7F and byte not in b'"\\'
    return chr(byte) if plain else f"\\{byte:03}"


def _head(title: str, run: str, fps: str, reach: int) -> str:
    about = {"TITLE": quoted(title), "RUN": run, "FPS": fps, "REACH": reach}
    return _HEAD + "\n" + "".join(f"local {name} = {value}\n" for name, value in about.items())


def _body() -> str:
    return Path(__file__).with_name("markers.lua").read_text(encoding="utf-8")
