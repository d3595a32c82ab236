"""DaVinci Resolve as the scripts see it: read what is open, and do the steps of a plan."""

from fractions import Fraction
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import ScriptError
from .place import Clip, Sheet, comparable, parse_rate
from .plan import Marker, Step
from .stack import Laid, rate_name

_OLDER = "This DaVinci Resolve is too old for mtbsync's scripts; version 19.1 or later has what they need."
_NO_RATE = (
    "Resolve made its timeline at {} frames a second and not at {}. Set that as the timeline frame rate in "
    "the settings of a new project, and run this script again."
)
_PICTURE, _SOUND = 1, 2
_GONE = "The timeline was closed meanwhile; nothing was changed. Open it, and try again."


class Host:
    """What is open in Resolve right now. Methods raise ScriptError where there is nothing to work on."""

    def __init__(self, resolve: Any) -> None:
        self._resolve = resolve

    def is_running(self) -> bool:
        """Whether Resolve still answers."""
        # Of a Resolve that was closed, every name is None.
        ask = getattr(self._resolve, "GetProductName", None)
        return ask is not None and bool(ask())

    def timeline_name(self) -> Optional[str]:
        """What the timeline in front is called; None where none is open."""
        project = self._project_or_none()
        timeline = project.GetCurrentTimeline() if project is not None else None
        return None if timeline is None else timeline.GetName()

    def timeline(self) -> "TimelineHandle":
        """The timeline in front."""
        timeline = self._project().GetCurrentTimeline()
        if timeline is None:
            raise ScriptError("No timeline is open. Open one on the Edit page, and try again.")
        return TimelineHandle(timeline)

    def chosen_paths(self) -> List[str]:
        """Files of the clips selected in the media pool; empty where none is."""
        pool = self._project().GetMediaPool()
        # Resolve's objects answer to any name, so only dir() tells.
        items = (pool.GetSelectedClips() or []) if "GetSelectedClips" in dir(pool) else []
        return _distinct(item.GetClipProperty("File Path") for item in items)

    def path_at_playhead(self) -> str:
        """The file of the clip under the playhead; empty where there is none."""
        timeline = self._project().GetCurrentTimeline()
        item = timeline.GetCurrentVideoItem() if timeline is not None else None
        medium = item.GetMediaPoolItem() if item is not None else None
        return "" if medium is None else medium.GetClipProperty("File Path") or ""

    def media(self, paths: Sequence[str]) -> Dict[str, "Medium"]:
        """The media pool's clips of these files, by path; those that it lacks are imported."""
        pool = self._project().GetMediaPool()
        there = _by_file(_clips_in(pool.GetRootFolder()))
        lacking = [path for path in paths if comparable(path) not in there]
        if lacking:
            there.update(_by_file(pool.ImportMedia(lacking) or []))
        refused = [path for path in lacking if comparable(path) not in there]
        if refused:
            raise ScriptError("Resolve cannot import {}; check that it is there.".format(", ".join(refused)))
        return {path: Medium(there[comparable(path)]) for path in paths}

    def new_timeline(self, name: str, rate: Fraction, start_timecode: str) -> "Stack":
        """An empty timeline at that rate, in front, called `name` or, where one is called that, with a number
        behind it."""
        project = self._project()
        pool = project.GetMediaPool()
        n_timelines = int(project.GetTimelineCount())
        taken = {project.GetTimelineByIndex(k).GetName() for k in range(1, n_timelines + 1)}
        free = next(n for k in range(1, n_timelines + 2) for n in [_numbered(name, k)] if n not in taken)
        timeline = pool.CreateEmptyTimeline(free)
        if timeline is None:
            raise ScriptError(f"Resolve made no timeline '{free}'. Open the Edit page, and try again.")
        # Only so does a timeline have a rate of its own, and only as long as it is empty.
        timeline.SetSetting("useCustomSettings", "1")
        timeline.SetSetting("timelineFrameRate", rate_name(rate))
        shown = timeline.GetSetting("timelineFrameRate")
        if parse_rate(shown) != rate:
            pool.DeleteTimelines([timeline])
            raise ScriptError(_NO_RATE.format(shown, rate_name(rate)))
        timeline.SetStartTimecode(start_timecode)
        project.SetCurrentTimeline(timeline)
        return Stack(pool, timeline)

    def _project_or_none(self) -> Any:
        manager = self._resolve.GetProjectManager() if self._resolve is not None else None
        return manager.GetCurrentProject() if manager is not None else None

    def _project(self) -> Any:
        project = self._project_or_none()
        if project is None:
            raise ScriptError("No project is open in Resolve. Open one, and try again.")
        return project


class TimelineHandle:
    """One timeline. It is of no use any more once another project is opened."""

    def __init__(self, timeline: Any) -> None:
        self._timeline = timeline
        if "GetUniqueId" not in dir(timeline):
            raise ScriptError(_OLDER)
        self.timeline_id: str = timeline.GetUniqueId()
        self.name: str = timeline.GetName()

    def sheet(self) -> Tuple[Sheet, List[str]]:
        """The clips that play at their own speed, with their files, and the names of the others."""
        shown = self._timeline.GetSetting("timelineFrameRate")
        try:
            rate = parse_rate(shown)
        except ValueError:
            raise ScriptError(f"Resolve does not tell the timeline's frame rate ({shown!r}).") from None
        dropping = self._timeline.GetSetting("timelineDropFrameTimecode")
        start = int(self._timeline.GetStartFrame())
        clips, retimed = [], []
        for track in range(1, int(self._timeline.GetTrackCount("video")) + 1):
            for item in self._timeline.GetItemListInTrack("video", track) or []:
                medium = item.GetMediaPoolItem()
                path = medium.GetClipProperty("File Path") if medium is not None else ""
                if not path:
                    continue
                clip, at_own_speed = _clip(item, medium, path, track, start, rate)
                if at_own_speed:
                    clips.append(clip)
                else:
                    retimed.append(str(item.GetName()))
        drop_frame = "DF" in str(shown) or str(dropping) == "1"
        n_frames = int(self._timeline.GetEndFrame()) - start
        return Sheet(rate, drop_frame, start, n_frames, tuple(clips)), retimed

    def markers(self) -> List[Marker]:
        """Every marker of the timeline, in order."""
        # Resolve gives frames as int or float, and nothing at all once its project is closed.
        found = self._timeline.GetMarkers()
        if found is None or self._timeline.GetUniqueId() != self.timeline_id:
            raise ScriptError(_GONE)
        return sorted(
            Marker(
                round(frame),
                about["color"],
                about["name"],
                about["note"],
                round(about["duration"]),
                about.get("customData") or "",
            )
            for frame, about in found.items()
        )

    def do(self, steps: Sequence[Step]) -> List[Step]:
        """Do the steps and give what Resolve really did, as reading back shows.

        Whatever leaves goes first, so that its frames are free for what comes.
        """
        begun = [s for s in steps if s.before is None or self._timeline.DeleteMarkerAtFrame(s.before.frame)]
        for step in begun:
            if step.after is not None and not self._add(step.after) and step.before is not None:
                self._add(step.before)
        present = set(self.markers())
        done = [
            Step(
                None if step.before in present else step.before,
                step.after if step.after in present else None,
            )
            for step in begun
        ]
        return [step for step in done if step != Step(None, None)]

    def go_to(self, timecode: str) -> None:
        """Move the playhead."""
        self._timeline.SetCurrentTimecode(timecode)

    def _add(self, marker: Marker) -> bool:
        frame, colour, name, note, n_frames, custom_data = marker
        return bool(self._timeline.AddMarker(frame, colour, name, note, n_frames, custom_data))


class Medium:
    """A clip in the media pool."""

    def __init__(self, item: Any) -> None:
        self.item = item

    def rate(self, default: Fraction) -> Fraction:
        """Its frames a second; `default` where Resolve does not tell."""
        try:
            return parse_rate(self.item.GetClipProperty("FPS"))
        except ValueError:
            return default


class Stack:
    """A new timeline on which cameras are laid above each other."""

    def __init__(self, pool: Any, timeline: Any) -> None:
        self._pool, self._timeline = pool, timeline
        self._start = int(timeline.GetStartFrame())
        self.name: str = timeline.GetName()

    def lay(self, number: int, name: str, clips: Sequence[Tuple[Laid, Medium]]) -> Tuple[int, bool]:
        """Lay a camera's clips on the video and the audio track of that number, pictures linked with their
        sound. Tells how many clips do not lie as wanted, and whether all have sound."""
        for kind, *more in (("video",), ("audio", "stereo")):
            while int(self._timeline.GetTrackCount(kind)) < number:
                self._timeline.AddTrack(kind, *more)
            self._timeline.SetTrackName(kind, number, name)
        pictures = [self._append(number, clip, medium, _PICTURE) for clip, medium in clips]
        sounds = [self._append(number, clip, medium, _SOUND) for clip, medium in clips]
        for picture, sound in zip(pictures, sounds):
            if picture is not None and sound is not None:
                self._timeline.SetClipsLinked([picture, sound], True)
        wrong = [clip for (clip, _), item in zip(clips, pictures) if not self._lies(item, clip)]
        return len(wrong), None not in sounds

    def _append(self, number: int, clip: Laid, medium: Medium, kind: int) -> Any:
        wanted = {
            "mediaPoolItem": medium.item,
            "startFrame": clip.source_frame,
            # The first frame that is no longer shown.
            "endFrame": clip.source_end,
            "recordFrame": self._start + clip.frame,
            "trackIndex": number,
            "mediaType": kind,
        }
        items = self._pool.AppendToTimeline([wanted]) or [None]
        return items[0]

    def _lies(self, item: Any, clip: Laid) -> bool:
        wanted = (self._start + clip.frame, clip.n_frames)
        return item is not None and (int(item.GetStart()), int(item.GetDuration())) == wanted


def _clips_in(folder: Any) -> List[Any]:
    """What lies in a folder of the media pool, and in those below it."""
    found = list(folder.GetClipList() or [])
    for below in folder.GetSubFolderList() or []:
        found += _clips_in(below)
    return found


def _by_file(items: Sequence[Any]) -> Dict[str, Any]:
    files = [(item.GetClipProperty("File Path"), item) for item in items]
    return {comparable(path): item for path, item in files if path}


def _numbered(name: str, k: int) -> str:
    return name if k == 1 else f"{name} {k}"


def _clip(item: Any, medium: Any, path: str, track: int, start: int, rate: Fraction) -> Tuple[Clip, bool]:
    """The item as a clip, and whether it plays at its own speed."""
    if "GetSourceStartFrame" not in dir(item):
        raise ScriptError(_OLDER)
    try:
        own_rate = parse_rate(medium.GetClipProperty("FPS"))
    except ValueError:
        own_rate = rate
    first, last = int(item.GetSourceStartFrame()), int(item.GetSourceEndFrame())
    n_frames = int(item.GetEnd()) - int(item.GetStart())
    # Where rates agree the left offset is exact; the source frame is in the file's rate, and may be one off.
    source_in_s = Fraction(int(item.GetLeftOffset())) / rate if own_rate == rate else first / own_rate
    shown_s, lasts_s = (last - first) / own_rate, n_frames / rate
    # Timelines that came from XML tell no source frames. Two frames of either rate are rounding.
    at_own_speed = last == first or abs(shown_s - lasts_s) <= 2 / min(own_rate, rate)
    return Clip(path, int(item.GetStart()) - start, n_frames, source_in_s, track), at_own_speed


def _distinct(paths: Any) -> List[str]:
    """The paths that there are, each once, in their order."""
    return list(dict.fromkeys(path for path in paths if path))
