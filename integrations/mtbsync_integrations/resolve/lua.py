"""Scripts for editions of Resolve that run no Python: Lua with the markers embedded.

They run where a sandbox has taken files, processes, modules and sockets away, so everything they need is
in the one file. `markers.lua` is what they do; here the markers are put in front of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from mtbsync_engine.errors import OutputError
from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.resolve.words import CARRIES
from mtbsync_integrations.timeline import Timeline

REMOVE_TITLE = "Remove mtbsync markers"

_HEAD = "-- Written by mtbsync. It can be thrown away; `mtbsync resolve lua` writes it anew.\n"


@dataclass(frozen=True)
class Run:
    """A recording that markers are pushed for: what people call it, and what tells it from all others.

    Cameras give the same names again, so two recordings may well share `name`, but not `identity`.
    """

    name: str
    identity: str

    @property
    def mark(self) -> str:
        """A short word for the identity."""
        return hashlib.sha256(self.identity.encode("utf-8", "replace")).hexdigest()[:8]

    @property
    def key(self) -> str:
        """What its markers carry; without a slash, which ends it there."""
        return f"{self.name}-{self.mark}".replace("/", "_")

    @property
    def titles(self) -> tuple[str, str]:
        """What the menu calls its script, and what it does where another run has that title already."""
        return f"Push markers of {self.name}", f"Push markers of {self.name} ({self.mark})"


def push_script(timeline: Timeline, run: Run, title: str) -> tuple[str, tuple[str, ...]]:
    """A script that puts the timeline's markers where an open timeline shows the run, and sentences on what
    is lost on the way.

    The timeline is the run from its first picture to its last. Running the script again changes nothing; a
    later one for the same `run` moves, changes and removes what it wrote, and nothing else.
    """
    fit, losses = fitted(replace(timeline, tracks=()), CARRIES)
    markers = "".join(
        f"  {{ key = {quoted(f'{run.key}/{m.marker_id}')}, frame = {m.frame}, colour = {quoted(m.colour)}, "
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
    head = _head(title, quoted(run.key), f"{float(rate.fps):.3f}", rate.nominal)
    return f"{head}local FILES = {{\n{files}}}\nlocal WANTED = {{\n{markers}}}\n\n{_body()}", losses


def free_title(folder: Path, run: Run) -> str:
    """The title of the run's script in `folder`: a longer one where another script has the usual one.

    Raises:
        OutputError: what is there cannot be read.
    """
    usual, longer = (folder / f"{title}.lua" for title in run.titles)
    try:
        is_taken = longer.exists() or (usual.exists() and not _is_for(usual, run))
    except OSError as error:
        raise OutputError(f"{error.filename} cannot be read: {error.strerror or error}.") from error
    return run.titles[is_taken]


def remove_script() -> str:
    """A script that takes away every marker of mtbsync that the user has not changed, of any run."""
    return f"{_head(REMOVE_TITLE, 'nil', 'nil', 0)}local FILES = {{}}\nlocal WANTED = {{}}\n\n{_body()}"


def quoted(text: str) -> str:
    """A Lua string for any text at all: plain ASCII, everything unusual as the bytes of its UTF-8."""
    return '"' + "".join(_escaped(byte) for byte in text.encode("utf-8", "replace")) + '"'


def _is_for(path: Path, run: Run) -> bool:
    return f"local RUN = {quoted(run.key)}\n".encode() in path.read_bytes()


def _escaped(byte: int) -> str:
    plain = 0x20 <= byte < 0x7F and byte not in b'"\\'
    return chr(byte) if plain else f"\\{byte:03}"


def _head(title: str, run: str, fps: str, reach: int) -> str:
    about = {"TITLE": quoted(title), "RUN": run, "FPS": fps, "REACH": reach}
    return _HEAD + "\n" + "".join(f"local {name} = {value}\n" for name, value in about.items())


def _body() -> str:
    return Path(__file__).with_name("markers.lua").read_text(encoding="utf-8")
