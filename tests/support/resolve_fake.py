"""DaVinci Resolve's scripting API, as far as mtbsync uses it, and stricter than the real one.

Signatures are those of the API's documentation; a test compares them with the published stubs. Arguments go
by position only, a method that is not here does not exist, and a wrong type is an error. What people report
of the real one is kept: a frame holds one marker, markers count from the timeline's start, an absolute
frame is taken silently, frames come back as float, and a handle is dead once another project opens.
"""

# ruff: noqa: N803 - argument names are those of the API

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

COLOURS = {
    *("Blue", "Cyan", "Green", "Yellow", "Red", "Pink", "Purple", "Fuchsia"),
    *("Rose", "Lavender", "Sky", "Mint", "Lemon", "Sand", "Cocoa", "Cream"),
}


class Handle:
    """What a script holds of something in a project; it answers None once that project is closed."""

    _project: Project

    def __init_subclass__(cls) -> None:
        for name, method in list(vars(cls).items()):
            if name[0].isupper() and callable(method):
                setattr(cls, name, _dying(method))


def _dying(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def answer(self: Any, *arguments: Any) -> Any:
        return method(self, *arguments) if self._project.is_open else None

    return answer


class HasMarkers(Handle):
    """What timelines, their items and media pool items have in common."""

    def __init__(self) -> None:
        self._markers: dict[float, dict[str, Any]] = {}

    def AddMarker(
        self, frameId: Any, color: Any, name: Any, note: Any, duration: Any, customData: Any = "", /
    ) -> bool:
        if not all(isinstance(text, str) for text in (color, name, note, customData)):
            raise TypeError("colour, name, note and customData are text")
        if isinstance(frameId, bool) or isinstance(duration, bool) or frameId != int(frameId):
            raise TypeError("a frame is a whole number")
        if color not in COLOURS or frameId < 0 or duration < 1 or frameId in self._markers:
            return False
        self._markers[float(frameId)] = {
            "color": color,
            "duration": float(duration),
            "note": note,
            "name": name,
            "customData": customData,
        }
        return True

    def GetMarkers(self) -> dict[float, dict[str, Any]]:
        # Both kinds of keys have been seen.
        kinds = (float, int)
        return {kinds[k % 2](f): dict(about) for k, (f, about) in enumerate(self._markers.items())}

    def GetMarkerByCustomData(self, customData: str, /) -> dict[float, dict[str, Any]]:
        frame = self._first_with(customData)
        return {} if frame is None else {frame: dict(self._markers[frame])}

    def UpdateMarkerCustomData(self, frameId: float, customData: str, /) -> bool:
        if frameId not in self._markers:
            return False
        self._markers[frameId]["customData"] = customData
        return True

    def GetMarkerCustomData(self, frameId: float, /) -> str:
        return str(self._markers[frameId]["customData"]) if frameId in self._markers else ""

    def DeleteMarkersByColor(self, color: str, /) -> bool:
        gone = [frame for frame, about in self._markers.items() if color in (about["color"], "All")]
        for frame in gone:
            del self._markers[frame]
        return bool(gone)

    def DeleteMarkerAtFrame(self, frameNum: float, /) -> bool:
        return self._markers.pop(frameNum, None) is not None

    def DeleteMarkerByCustomData(self, customData: str, /) -> bool:
        frame = self._first_with(customData)
        return frame is not None and self._markers.pop(frame, None) is not None

    def _first_with(self, custom_data: str) -> float | None:
        frames = (f for f, about in sorted(self._markers.items()) if about["customData"] == custom_data)
        return next(frames, None)


class MediaPoolItem(HasMarkers):
    """A clip in the media pool; an empty path is a title or a timeline."""

    def __init__(self, project: Project, path: str, fps: Any) -> None:
        super().__init__()
        self._project, self._path, self._fps, self.has_sound = project, path, fps, True

    def GetName(self) -> str:
        return self._path.replace("\\", "/").rpartition("/")[2]

    def GetClipProperty(self, propertyName: str, /) -> Any:
        return {"File Path": self._path, "FPS": self._fps}[propertyName]


class TimelineItem(HasMarkers):
    """A clip on a timeline; frames are absolute, as Resolve's are."""

    def __init__(
        self, medium: MediaPoolItem | None, start: int, n_frames: int, source_in: int, span: int, rate_in: int
    ) -> None:
        super().__init__()
        self._medium, self._start, self._n_frames = medium, start, n_frames
        self._source_in, self._span, self._left = source_in, span, rate_in

    def GetName(self) -> str:
        return "title" if self._medium is None else str(self._medium.GetName())

    def GetStart(self, subframe_precision: bool = False, /) -> int:
        return self._start

    def GetEnd(self, subframe_precision: bool = False, /) -> int:
        return self._start + self._n_frames

    def GetDuration(self, subframe_precision: bool = False, /) -> int:
        return self._n_frames

    def GetLeftOffset(self, subframe_precision: bool = False, /) -> int:
        return self._left

    def GetSourceStartFrame(self) -> int:
        return self._source_in

    def GetSourceEndFrame(self) -> int:
        return self._source_in + self._span

    def GetMediaPoolItem(self) -> MediaPoolItem | None:
        return self._medium


class Timeline(HasMarkers):
    """A timeline of `n_frames`; `start_frame` is the absolute frame of its first."""

    def __init__(
        self, project: Project, unique_id: str, name: str, rate: str, start_frame: int, n_frames: int
    ) -> None:
        super().__init__()
        self._project, self._id, self._name, self._rate = project, unique_id, name, rate
        self._start_frame, self._n_frames = start_frame, n_frames
        self._tracks: list[list[TimelineItem]] = [[]]
        self._sounds: list[list[TimelineItem]] = [[]]
        self.names: dict[tuple[str, int], str] = {}
        self.linked: list[tuple[TimelineItem, TimelineItem]] = []
        self._has_own_settings = False
        self.playhead = ""

    def put(
        self,
        medium: MediaPoolItem | None,
        frame: int,
        n_frames: int,
        *,
        left: int = 0,
        source_in: int | None = None,
        speed: int | Fraction = 1,
        track: int = 1,
    ) -> TimelineItem:
        """The editor lays a clip; `frame` is from the timeline's start, `source_in` in the medium's rate."""
        own = Fraction(medium._fps) if medium is not None else Fraction(1)
        span = round(n_frames * speed * own / Fraction(self._rate.split()[0]))
        first = left if source_in is None else source_in
        item = TimelineItem(medium, self._start_frame + frame, n_frames, first, span, left)
        item._project = self._project
        while len(self._tracks) < track:
            self._tracks.append([])
        self._tracks[track - 1].append(item)
        return item

    def GetName(self) -> str:
        return self._name

    def GetUniqueId(self) -> str:
        return self._id

    def GetStartFrame(self) -> int:
        return self._start_frame

    def GetEndFrame(self) -> int:
        return self._start_frame + self._n_frames

    def GetTrackCount(self, trackType: str, /) -> int:
        return len(self._of(trackType))

    def AddTrack(self, trackType: str, newTrackOptions: Any = "", /) -> bool:
        if newTrackOptions not in ("", "mono", "stereo") or (newTrackOptions and trackType != "audio"):
            raise TypeError(newTrackOptions)
        self._of(trackType).append([])
        return True

    def SetTrackName(self, trackType: str, trackIndex: int, name: str, /) -> bool:
        if not 1 <= trackIndex <= len(self._of(trackType)):
            return False
        self.names[trackType, trackIndex] = name
        return True

    def GetItemListInTrack(self, trackType: str, index: int, /) -> list[TimelineItem]:
        assert 1 <= index <= len(self._of(trackType)), "tracks count from 1"
        return list(self._of(trackType)[index - 1])

    def SetClipsLinked(self, timelineItems: list[TimelineItem], Bool: bool, /) -> bool:
        assert Bool
        first, second = timelineItems
        self.linked.append((first, second))
        return True

    def SetStartTimecode(self, timecode: str, /) -> bool:
        hours, minutes, seconds, frames = map(int, timecode.split(":"))
        nominal = ceil(Fraction(self._rate.split()[0]))
        self._start_frame = (hours * 3600 + minutes * 60 + seconds) * nominal + frames
        return True

    def SetSetting(self, settingName: str, settingValue: str, /) -> bool:
        if not isinstance(settingValue, str):
            raise TypeError("settings are text")
        if settingName == "useCustomSettings":
            self._has_own_settings = settingValue == "1"
            return True
        is_empty = not any([*self._tracks, *self._sounds])
        if settingName != "timelineFrameRate" or not self._has_own_settings or not is_empty:
            return False
        self._rate = settingValue
        return True

    def append(self, about: dict[str, Any]) -> TimelineItem | None:
        """A clip that a script sends here; None where its place is taken, or there is none."""
        medium, index = about["mediaPoolItem"], about["trackIndex"]
        tracks = self._of({1: "video", 2: "audio"}[about["mediaType"]])
        first, span = about["startFrame"], about["endFrame"] - about["startFrame"]
        n_frames = round(span * Fraction(self._rate.split()[0]) / Fraction(medium._fps))
        start = about["recordFrame"]
        is_free = 1 <= index <= len(tracks) and not any(
            start < item.GetEnd() and item.GetStart() < start + n_frames for item in tracks[index - 1]
        )
        is_silent = about["mediaType"] == 2 and not medium.has_sound
        if not is_free or is_silent or start < self._start_frame or n_frames < 1:
            return None
        item = TimelineItem(medium, start, n_frames, first, span, first)
        item._project = self._project
        tracks[index - 1].append(item)
        self._n_frames = max(self._n_frames, item.GetEnd() - self._start_frame)
        return item

    def _of(self, kind: str) -> list[list[TimelineItem]]:
        return {"video": self._tracks, "audio": self._sounds}[kind]

    def GetSetting(self, settingName: str, /) -> str:
        drops = "1" if self._rate.endswith("DF") else "0"
        return {"timelineFrameRate": self._rate, "timelineDropFrameTimecode": drops}[settingName]

    def SetCurrentTimecode(self, timecode: str, /) -> bool:
        self.playhead = timecode
        return True

    def GetCurrentVideoItem(self) -> TimelineItem | None:
        return self._tracks[0][0] if self._tracks[0] else None


class MediaPool(Handle):
    """Where clips are; `selected` are those that the editor has clicked on."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.selected: list[MediaPoolItem] = []

    def GetSelectedClips(self) -> list[MediaPoolItem]:
        return list(self.selected)

    def GetRootFolder(self) -> Folder:
        return self._project.root

    def ImportMedia(self, clipInfo: list[str], /) -> list[MediaPoolItem]:
        """Files that are there; `rates` of the project says at how many frames a second they are."""
        there = [path for path in clipInfo if Path(path).is_file()]
        return [self._project.add_medium(path, self._project.rates.get(path, 25.0)) for path in there]

    def CreateEmptyTimeline(self, name: str, /) -> Timeline | None:
        if name in [timeline.GetName() for timeline in self._project.timelines]:
            return None
        return self._project.add_timeline(name, self._project.rate, start_frame=86400, n_frames=0)

    def DeleteTimelines(self, timeline: list[Timeline], /) -> bool:
        self._project.timelines = [one for one in self._project.timelines if one not in timeline]
        return True

    def AppendToTimeline(self, clipInfo: list[dict[str, Any]], /) -> list[TimelineItem]:
        keys = {"mediaPoolItem", "startFrame", "endFrame", "recordFrame", "trackIndex", "mediaType"}
        for about in clipInfo:
            if set(about) != keys:
                raise TypeError(f"unknown or missing: {set(about) ^ keys}")
            if not all(type(about[key]) is int for key in keys - {"mediaPoolItem"}):
                raise TypeError("frames, tracks and kinds are whole numbers")
        assert self._project.timeline is not None
        found = [self._project.timeline.append(about) for about in clipInfo]
        return [item for item in found if item is not None]


class Folder(Handle):
    """A folder of the media pool."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.items: list[MediaPoolItem] = []
        self.folders: list[Folder] = []

    def GetClipList(self) -> list[MediaPoolItem]:
        return list(self.items)

    def GetSubFolderList(self) -> list[Folder]:
        return list(self.folders)


class Project(Handle):
    """A project; its handles live while it is open."""

    def __init__(self, name: str) -> None:
        self._project, self._name, self.is_open = self, name, False
        self.pool = MediaPool(self)
        self.root = Folder(self)
        self.rate = "24"
        self.rates: dict[str, float] = {}
        self.timelines: list[Timeline] = []
        self.timeline: Timeline | None = None

    def add_medium(self, path: str, fps: Any) -> MediaPoolItem:
        """The editor imports a file."""
        self.root.items.append(MediaPoolItem(self, path, fps))
        return self.root.items[-1]

    def add_timeline(
        self, name: str, rate: str, *, start_frame: int = 90000, n_frames: int = 15000
    ) -> Timeline:
        """The editor makes a timeline and opens it."""
        self.timeline = Timeline(self, f"{self._name}-{name}", name, rate, start_frame, n_frames)
        self.timelines.append(self.timeline)
        return self.timeline

    def GetName(self) -> str:
        return self._name

    def GetMediaPool(self) -> MediaPool:
        return self.pool

    def GetCurrentTimeline(self) -> Timeline | None:
        return self.timeline

    def GetTimelineCount(self) -> int:
        return len(self.timelines)

    def GetTimelineByIndex(self, idx: int, /) -> Timeline:
        assert 1 <= idx <= len(self.timelines), "timelines count from 1"
        return self.timelines[idx - 1]

    def SetCurrentTimeline(self, timeline: Timeline, /) -> bool:
        self.timeline = timeline
        return True


@dataclass
class ProjectManager:
    """Knows the open project; on the Project Manager's own page there is none."""

    current: Project | None = None

    def open(self, project: Project | None) -> None:
        """The editor opens a project, or goes back to the list of projects."""
        if self.current is not None:
            self.current.is_open = False
        self.current = project
        if project is not None:
            project.is_open = True

    def GetCurrentProject(self) -> Project | None:
        return self.current


class Resolve:
    """The program; once it was closed it answers nothing any more."""

    def __init__(self) -> None:
        self.manager = ProjectManager()
        self.is_running = True

    def quit(self) -> None:
        """The editor closes it."""
        self.manager.open(None)
        self.is_running = False

    def GetProductName(self) -> str | None:
        return "DaVinci Resolve Studio" if self.is_running else None

    def GetProjectManager(self) -> ProjectManager | None:
        return self.manager if self.is_running else None


# --- windows, in Studio only -----------------------------------------------------------------------


@dataclass
class Fusion:
    """`fusion` as a script gets it. `UIManager` is None in the free edition."""

    UIManager: UIManager | None = None


@dataclass
class UIManager:
    """Makes the parts of windows. Without `has_windows` it is there and opens none. `happening` is what the
    person does with them: "close", or "move", which no script waits for. Of a list they take the option of
    that number `chosen`, or None of them."""

    has_windows: bool = True
    chosen: int | None = 0
    happening: deque[str] = field(default_factory=deque)

    def TextEdit(self, about: dict[str, Any], /) -> Part:
        return Part("TextEdit", about)

    def ComboBox(self, about: dict[str, Any], /) -> Part:
        return Part("ComboBox", about)

    def Button(self, about: dict[str, Any], /) -> Part:
        return Part("Button", about)

    def VGroup(self, parts: list[Part], /) -> Part:
        return Part("VGroup", {}, parts)


@dataclass
class Part:
    """A text, a list or a button."""

    kind: str
    about: dict[str, Any]
    parts: list[Part] = field(default_factory=list)
    PlainText: str = ""
    CurrentIndex: int = 0
    options: list[str] = field(default_factory=list)

    def AddItem(self, text: str, /) -> None:
        assert self.kind == "ComboBox"
        self.options.append(text)


class _Events:
    """`On.NAME.EVENT = handler`."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return self.handlers.setdefault(name, type("Slot", (), {})())


class Window:
    """A window whose person reads it and clicks on Close."""

    def __init__(self, about: dict[str, Any], parts: list[Part]) -> None:
        self.about, self.On, self.is_shown = about, _Events(), False
        self._items = {p.about["ID"]: p for group in parts for p in group.parts}

    def GetItems(self) -> dict[str, Part]:
        return self._items

    def Show(self) -> None:
        self.is_shown = True

    def Hide(self) -> None:
        self.is_shown = False


class Dispatcher:
    """Runs windows."""

    def __init__(self, manager: UIManager) -> None:
        self.windows: list[Window] = []
        self._manager, self._running = manager, False

    def AddWindow(self, about: dict[str, Any], parts: list[Part], /) -> Window | None:
        if not self._manager.has_windows:
            return None
        self.windows.append(Window(about, parts))
        return self.windows[-1]

    def StepLoop(self) -> None:
        """Tell a script's handlers of one thing that has happened, if anything has."""
        if not self._manager.happening:
            return
        if self._manager.happening.popleft() != "close":
            raise KeyError("On")
        self.windows[-1].On.close.Clicked({"who": "close"})

    def RunLoop(self) -> None:
        self._running = True
        (*_, window) = [window for window in self.windows if window.is_shown]
        choice = next((p for p in window.GetItems().values() if p.kind == "ComboBox"), None)
        if choice is None:
            window.On.close.Clicked({"who": "close"})
        elif self._manager.chosen is None:
            window.On.leave.Clicked({"who": "leave"})
        else:
            choice.CurrentIndex = self._manager.chosen
            window.On.take.Clicked({"who": "take"})
        assert not self._running, "the window does not close"

    def ExitLoop(self) -> None:
        self._running = False


class Bmd:
    """`bmd` as a script gets it."""

    def __init__(self) -> None:
        self.dispatchers: list[Dispatcher] = []

    def UIDispatcher(self, manager: UIManager, /) -> Dispatcher:
        assert isinstance(manager, UIManager)
        self.dispatchers.append(Dispatcher(manager))
        return self.dispatchers[-1]
