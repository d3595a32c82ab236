"""What is asked and answered: every document of the interface, checked on its way in."""

from __future__ import annotations

import os
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mtbsync_daemon.config import FIND
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.markers import MarkerState

_LONGEST_TEXT = 10_000
_MOST_MARKERS = 10_000


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    return text


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; give the marker a name")
    return text


def means_find(name: str) -> bool:
    """Whether a folder's `trail` of that name in the settings has its trail found, or reads as if it did."""
    return name.strip().casefold() == FIND


def _trail_name(text: str) -> str:
    if means_find(text):
        raise ValueError(f"'{text}' has a trail found in the settings; call this one something else")
    return text


def _path(text: str) -> str:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise ValueError("is no path") from None
    return text


Text = Annotated[str, Field(max_length=_LONGEST_TEXT), AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]
TrailName = Annotated[Name, AfterValidator(_trail_name)]
Id = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_storable)]
PathText = Annotated[
    str, Field(min_length=1, max_length=4096), AfterValidator(_storable), AfterValidator(_path)
]
Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Verdict = Literal["accept", "review", "reject"]


class Document(BaseModel):
    """A document with exactly these fields, each of its very type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Versioned(Document):
    """A document of what can be edited: an edit names the version that it was made on, so none is lost."""

    version: int

    @property
    def etag(self) -> str | None:
        """Names this very document; None where it changes by itself."""
        return f'"{self.version}"'


class Query(BaseModel):
    """What stands behind the question mark: text that is read as what it should be."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Query):
    """A piece of a long list: at most `limit`, from behind where the piece before, whose `next_cursor` is
    `cursor`, left off."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=400)


class ProblemDocument(Document):
    """What went wrong (RFC 9457); `detail` is for a person."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Empty(Document):
    """Nothing to say."""


# --- recordings -----------------------------------------------------------------------------------


class File(Document):
    """A chapter: where it begins on the recording's clock, and how long it is."""

    path: str
    offset_s: float
    duration_s: float


class Sync(Versioned):
    """What came of lining a recording up with a trail. `progress` is of `stage`; `reference` is the recording
    that the trail was ridden in first; `accepted` says whether its markers are trusted. It is
    `cancelled` when a person stopped or dismissed it."""

    id: str
    recording: str
    wanted_trail: str | None
    trail: str | None
    reference: str | None
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str
    progress: Share
    verdict: Verdict | None
    reasons: tuple[str, ...]
    error: str | None
    accepted: bool
    created_at: float
    ended_at: float | None

    @property
    def etag(self) -> str | None:
        """Names this very document; None while it is under way."""
        if self.state in ("queued", "running"):
            return None
        return f'"{self.version}-{self.ended_at or 0:.6f}"'


class Recording(Document):
    """One press of the shutter. `trail` is the one that it is the reference of, `sync` the newest."""

    id: str
    name: str
    is_reference: bool
    trail: str | None
    duration_s: float
    files: tuple[File, ...]
    rate: str
    width: int
    height: int
    start_timecode: str | None
    has_audio: bool
    created_utc: str | None
    added_at: float
    sync: Sync | None


class Recordings(Document):
    """Recordings, the newest first."""

    recordings: tuple[Recording, ...]
    next_cursor: str | None = None


class RecordingsQuery(Page):
    """All, or those that own one of the files at `path`."""

    path: tuple[PathText, ...] = Field((), max_length=1000)


class RecordingsWanted(Document):
    """Files to make known."""

    paths: tuple[PathText, ...] = Field(min_length=1, max_length=1000)


class FileQuery(Query):
    """`proxy` asks for the camera's low-resolution copy."""

    proxy: bool = False


class RefusedFile(Document):
    """A file that is no recording, and why."""

    path: str
    reason: str


class RefusedFiles(Document):
    """Files that are no recordings, by path."""

    files: tuple[RefusedFile, ...]


# --- trails ---------------------------------------------------------------------------------------


class TrailMarker(Document):
    """A marker on the reference's clock."""

    id: str
    name: str
    t_s: float
    duration_s: float
    colour: str
    comment: str


class TrailMarkerWanted(Document):
    """A marker for a trail. One with the `id` of a marker that is there changes it; without one it is new."""

    id: Id | None = None
    name: Name
    t_s: Seconds
    duration_s: Seconds = 0.0
    colour: Name | Literal[""] = ""
    comment: Text = ""


class Trail(Versioned):
    """A trail: a reference `recording` and its markers. `is_ready` once runs can be compared with it."""

    id: str
    name: str
    recording: str
    is_ready: bool
    markers: tuple[TrailMarker, ...]
    created_at: float


class Trails(Document):
    """Trails, by name."""

    trails: tuple[Trail, ...]
    next_cursor: str | None = None


class TrailWanted(Document):
    """A new trail; it is called as its reference's file where no name is given."""

    recording: Id
    name: TrailName | None = None
    markers: tuple[TrailMarkerWanted, ...] = Field((), max_length=_MOST_MARKERS)


class TrailChange(Document):
    """Another name, or other markers, for a trail."""

    name: TrailName | None = None
    markers: Annotated[tuple[TrailMarkerWanted, ...], Field(max_length=_MOST_MARKERS)] | None = None


# --- syncs ----------------------------------------------------------------------------------------


class Syncs(Document):
    """Syncs, the newest first."""

    syncs: tuple[Sync, ...]
    next_cursor: str | None = None


class SyncsQuery(Page):
    """Of one `recording`, or of all."""

    recording: Id | None = None


class SyncWanted(Document):
    """A recording to line up with that trail, or with whichever fits."""

    recording: Id
    trail: Id | None = None


class SyncChange(Document):
    """A person's word on a sync that waited for one: they trust it, or the run is of no trail."""

    accepted: Literal[True] | None = None
    dismissed: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_word(self) -> Self:
        if (self.accepted is None) == (self.dismissed is None):
            raise ValueError("Say either accepted or dismissed")
        return self


# --- markers --------------------------------------------------------------------------------------


class RunMarker(Versioned):
    """A run's marker, at `t_s` of it (null: the run does not show the place) and at `t_ref_s` of its trail's
    reference. `expected_error_s` bounds the error of `t_s` in nine cases of ten."""

    id: str
    name: str
    colour: str
    comment: str
    t_ref_s: float
    t_s: float | None
    duration_s: float
    confidence: float
    expected_error_s: float | None
    needs_review: bool
    reason: str
    state: MarkerState


class RunMarkers(Document):
    """All markers of a run, in order; those that have no place come last."""

    markers: tuple[RunMarker, ...]


class RunMarkerChange(Document):
    """A person's word on a marker: other values, which correct it, or a decision on it as it stands."""

    name: Name | None = None
    t_s: Seconds | None = None
    duration_s: Seconds | None = None
    colour: Name | Literal[""] | None = None
    comment: Text | None = None
    state: Literal["accepted", "rejected"] | None = None


class MarkerVersion(Document):
    """A marker as it was seen."""

    id: Id
    version: int


class Decision(Document):
    """The same word on several markers."""

    state: Literal["accepted", "rejected"]
    markers: tuple[MarkerVersion, ...] = Field(min_length=1, max_length=_MOST_MARKERS)


class MarkersQuery(Query):
    """Whose markers, and in whose words."""

    recording: Id
    editor: Literal["resolve"]


class ShownMarker(Document):
    """A marker in words that the editor gives back to the letter."""

    id: str
    t_s: float
    duration_s: float
    name: str
    colour: str
    note: str
    needs_review: bool
    reason: str


class ShownMarkers(Document):
    """The markers that have a place."""

    markers: tuple[ShownMarker, ...]


class ToldMarker(Document):
    """A marker as a timeline shows it. `id` is null for one that the user made; `changed` is false where it
    stands as mtbsync wrote it."""

    id: Id | None
    t_s: Seconds
    duration_s: Seconds
    name: Annotated[Text, AfterValidator(_not_empty)]
    colour: Text
    note: Text
    changed: bool


class Told(Document):
    """What a timeline shows over a recording."""

    recording: Id
    timeline: Id
    markers: tuple[ToldMarker, ...] = Field(max_length=_MOST_MARKERS)


# --- pushes ---------------------------------------------------------------------------------------


class TimelineMarker(Document):
    """A marker as an editor has it; `frame` counts from the timeline's start."""

    frame: int = Field(ge=-(2**53), le=2**53)
    colour: Text
    name: Text
    note: Text
    n_frames: int = Field(ge=0, le=2**53)
    custom_data: Text


class Step(Document):
    """One change: without `before` a marker was added, without `after` one was taken away."""

    before: TimelineMarker | None
    after: TimelineMarker | None


Steps = Annotated[tuple[Step, ...], Field(max_length=_MOST_MARKERS)]


class Push(Document):
    """What was done to a timeline."""

    id: str
    timeline: str
    name: str
    state: Literal["started", "done", "undone"]
    steps: tuple[Step, ...]


class Pushes(Document):
    """Those that were not taken back, newest first."""

    pushes: tuple[Push, ...]


class PushesQuery(Query):
    """To which timeline."""

    timeline: Id


class PushWanted(Document):
    """A push that is about to be done."""

    timeline: Id
    name: Text
    steps: Steps


class PushChange(Document):
    """How a push went: `done` with the steps that were really done, or `undone`."""

    state: Literal["done", "undone"]
    steps: Steps | None = None


# --- jobs -----------------------------------------------------------------------------------------


class JobProgress(Document):
    """Where a running job stands: its stage, and how much of that is done (null: not known)."""

    stage: str
    done: Share | None


class Job(Document):
    """What is to be done, is being done, or was."""

    id: str
    kind: Kind
    state: State
    recording: str | None
    attempts: int
    stage: str
    progress: JobProgress | None
    error: str | None
    stages_s: dict[str, float]
    created_at: float
    started_at: float | None
    ended_at: float | None


class Jobs(Document):
    """Jobs, the newest first."""

    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class JobsQuery(Page):
    """In that state, and of that recording."""

    state: State | None = None
    recording: Id | None = None


# --- exports --------------------------------------------------------------------------------------


class Export(Document):
    """A file that was written for an editor; `losses` are sentences on what it does not carry."""

    id: str
    recording: str
    format: str
    path: str
    losses: tuple[str, ...]
    written_at: float


class Exports(Document):
    """Exports, the newest first."""

    exports: tuple[Export, ...]
    next_cursor: str | None = None


class ExportsQuery(Page):
    """Of one `recording`, or of all."""

    recording: Id | None = None


class ExportsWanted(Document):
    """A run's markers in these formats; without any, in those that the settings name."""

    recording: Id
    formats: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)] | None = None


class Created(Document):
    """The job that does what was asked for."""

    job: str


class Format(Document):
    """A format that markers can be written in."""

    name: str
    description: str


class Formats(Document):
    """All of them, by name."""

    formats: tuple[Format, ...]


# --- the daemon itself ----------------------------------------------------------------------------


class Folder(Document):
    """A watched folder, and what is wrong with it; empty where nothing is."""

    path: str
    trail: str
    problem: str


class Folders(Document):
    """The watched folders."""

    folders: tuple[Folder, ...]


class Health(Document):
    """Whether all is well, and if not, sentences on what is not."""

    status: Literal["ok", "degraded"]
    reasons: tuple[str, ...]
    version: str
    started_at: float


class LoginCode(Document):
    """Where a browser comes in, once, within a minute."""

    url: str


class LoginQuery(Query):
    """The code to come in with."""

    code: str = Field(max_length=200)
