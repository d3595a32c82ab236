"""What is asked and answered: every document of the interface, checked on its way in."""

from __future__ import annotations

import os
import re
from datetime import date
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


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; give the session a title")
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
Label = Annotated[
    str, Field(min_length=1, max_length=100, pattern=r"^[^,]*[^,\s][^,]*$"), AfterValidator(_storable)
]
Labels = Annotated[tuple[Label, ...], Field(max_length=50)]
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


class MarkerCount(Document):
    """How many markers there are that nobody rejected, and how many of these wait for a person to look."""

    n: int
    n_to_review: int


class Trouble(Document):
    """A `job` that failed, or that could not be done just now and `is_tried_again` by itself; `error` is a
    sentence on why."""

    job: str
    kind: Kind
    error: str
    is_tried_again: bool


class Recording(Document):
    """One press of the shutter. `trail` is the one that it is the reference of, `sync` the newest. `markers`
    are those of the run, or of the trail whose reference it is. `has_camera_copy` tells of the camera's
    low-resolution copy, `has_light_copy` of one made by mtbsync, that any browser plays."""

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
    markers: MarkerCount
    has_camera_copy: bool
    has_light_copy: bool
    sync: Sync | None
    troubles: tuple[Trouble, ...]


class Recordings(Document):
    """Recordings, the newest first."""

    recordings: tuple[Recording, ...]
    next_cursor: str | None = None


class RecordingsQuery(Page):
    """All, or those that own one of the files at `path`. `q` is a part of the name, `trail` the one that they
    are on or the reference of; `show` chooses what waits for a person, the runs, or the references. What is
    only a camera of a session is never among them."""

    path: tuple[PathText, ...] = Field((), max_length=1000)
    q: Text = ""
    trail: Id | None = None
    show: Literal["all", "waiting", "runs", "references"] = "all"


class RecordingsWanted(Document):
    """Files to make known."""

    paths: tuple[PathText, ...] = Field(min_length=1, max_length=1000)


class FileQuery(Query):
    """Which of them: the `original`, the `camera`'s low-resolution copy, or the `light` one by mtbsync."""

    which: Literal["original", "camera", "light"] = "original"


class RefusedFile(Document):
    """A file that is no recording, and why."""

    path: str
    reason: str


class RefusedFiles(Document):
    """Files that are no recordings, by path."""

    files: tuple[RefusedFile, ...]


# --- uploads --------------------------------------------------------------------------------------


class Upload(Document):
    """A file that was sent, and where it lies now."""

    path: str


class UploadProgress(Document):
    """How much has come of a file of `length` bytes that is sent piece by piece, and where it lies once it is
    whole."""

    n_bytes: int
    length: int
    path: str
    is_whole: bool


# --- sessions -------------------------------------------------------------------------------------


Title = Annotated[str, Field(max_length=200), AfterValidator(_storable), AfterValidator(_not_blank)]


def _day(text: str) -> str:
    try:
        is_day = str(date.fromisoformat(text)) == text
    except ValueError:
        is_day = False
    if not is_day:
        raise ValueError("is no day; write one like 2026-07-04")
    return text


_LABEL = re.compile(r"^[^/\\\s](?:[^/\\]*[^/\\\s])?$")
_LONGEST_LABEL = 40
# A day.
_MOST_OFFSET_MS = 86_400_000


def _camera_label(text: str) -> str:
    if not text.strip("."):
        raise ValueError("is no name for a camera")
    if len(text) > _LONGEST_LABEL or not _LABEL.search(text):
        raise ValueError(f"has up to {_LONGEST_LABEL} characters, no / and no \\, and no space at either end")
    return text


CameraLabel = Annotated[
    str,
    Field(json_schema_extra={"minLength": 1, "maxLength": _LONGEST_LABEL, "pattern": _LABEL.pattern}),
    AfterValidator(_storable),
    AfterValidator(_camera_label),
]
Day = Annotated[str, Field(json_schema_extra={"format": "date"}), AfterValidator(_day)]
Trust = Literal["looks-good", "review-suggested", "needs-manual-nudge"]


class SoundQuality(Document):
    """How good a camera's sound is: its level below full scale, the share of samples at full scale, how far
    it stands above its noise, up to which frequency there is any, and all of it in one number."""

    level_dbfs: float
    clipped: Share
    snr_db: float
    bandwidth_hz: float
    score: float


class Derived(Document):
    """A file that was made of a camera's footage, in the storage under `key`."""

    kind: Literal["mezzanine", "proxy", "audio-wav", "waveform", "thumbnail"]
    key: str
    n_bytes: int
    sha256: str
    made_at: float


class DerivedLink(Document):
    """Where anybody who is told can read such a file, for an hour; None where it lies on this computer."""

    url: str | None


class Placement(Versioned):
    """How a camera's clock lies on the master's: t_master = offset + (1 + drift_ppm / 1e6) * t_camera.

    `offset_ms` and `drift_ppm` are what counts, `found_offset_ms` and `found_drift_ppm` what was found, and
    None where nothing tells. `error_ms` bounds the error of nine in ten. `through` is the camera that this
    one was laid on, where that is not the master."""

    camera: str
    offset_ms: float | None
    drift_ppm: float
    found_offset_ms: float | None
    found_drift_ppm: float | None
    score: float
    trust: Trust
    error_ms: float | None
    method: Literal["hybrid", "xcorr", "timecode", "created", "picture"] | None
    reason: str
    through: str | None
    status: Literal["pending", "approved", "corrected"]


class Camera(Document):
    """A camera of a session. What is known of its recording is None or 0 until that has been looked at. `job`
    is its ingest; `frames_a_second` is a fraction."""

    label: str
    status: Literal["uploading", "ingesting", "ready", "failed"]
    problem: str
    file_name: str
    path: str
    recording: str | None
    duration_s: float
    frames_a_second: str | None
    width: int
    height: int
    codec: str
    has_audio: bool
    start_timecode: str | None
    created_utc: str | None
    job: str | None
    quality: SoundQuality | None
    derived: tuple[Derived, ...]


class Session(Document):
    """An event that several cameras recorded. `version` is of its texts and the wanted master."""

    id: str
    version: int
    title: str
    project: str
    date: str
    location: str
    notes: str
    status: Literal["draft", "ingesting", "syncing", "needs-review", "ready"]
    wanted_master: str | None
    master: str | None
    cameras: tuple[Camera, ...]
    placements: tuple[Placement, ...]
    problem: str
    lined_up_at: float | None
    created_at: float


class Sessions(Document):
    """A page of sessions, the newest first."""

    sessions: tuple[Session, ...]
    next_cursor: str | None


class SessionWanted(Document):
    """A new session; without a date, of today."""

    title: Title
    project: Text = ""
    date: Day | None = None
    location: Text = ""
    notes: Text = ""


class SessionChange(Document):
    """What is to be changed of a session; `master` is a camera's label, "" for the one that sounds best."""

    title: Title | None = None
    project: Text | None = None
    date: Day | None = None
    location: Text | None = None
    notes: Text | None = None
    master: Text | None = None


class CameraWanted(Document):
    """A camera to be added: `path` is its first file, or `upload` the BATCH/NAME under which that is about to
    be uploaded. Without a label it is called by the next letter."""

    path: PathText | None = None
    upload: PathText | None = None
    label: CameraLabel | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.path is None) == (self.upload is None):
            raise ValueError("name a path or an upload")
        return self


class CameraChange(Document):
    """A camera's other label."""

    label: CameraLabel


class CopiesWanted(Document):
    """Which copies of a camera's footage are to be made."""

    kinds: Annotated[tuple[Literal["proxy", "mezzanine"], ...], Field(min_length=1, max_length=2)]


class PlacementChange(Document):
    """What a person decides: it is as it was found, it is as said here, or it is open again."""

    status: Literal["approved", "corrected", "pending"]
    offset_ms: (
        Annotated[float, Field(ge=-_MOST_OFFSET_MS, le=_MOST_OFFSET_MS, allow_inf_nan=False)] | None
    ) = None
    drift_ppm: Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if (self.status == "corrected") == (self.offset_ms is None):
            raise ValueError("an offset belongs to what is corrected, and to nothing else")
        return self


class Correlation(Document):
    """What a placement was told from: standard scores at offsets, and the delays of single pieces."""

    offset_s: tuple[float, ...]
    z: tuple[float, ...]
    window_t_cam_s: tuple[float, ...]
    window_offset_s: tuple[float, ...]
    is_used: tuple[bool, ...]


class PlacementEvent(Document):
    """Something that was found of a camera's placement, or decided by a person."""

    camera: str
    what: str
    offset_ms: float | None
    drift_ppm: float | None
    at: float


class PlacementHistory(Document):
    """What became of a session's placements, the newest first."""

    events: tuple[PlacementEvent, ...]


class SessionOffer(Document):
    """A format that a session's timeline can be written in, and what it would lose; `problem` says why it
    cannot."""

    format: str
    description: str
    suffixes: tuple[str, ...]
    losses: tuple[str, ...]
    problem: str


class SessionOffers(Document):
    """Every format that a session's timeline can be written in, the one that most ask for first; `notes` hold
    for all of them."""

    notes: tuple[str, ...]
    offers: tuple[SessionOffer, ...]


class SyncedClip(Document):
    """A file on the synced timeline: it begins at `frame` and lasts `n_frames`, shows the file from its
    `source_frame` on, at `speed` (a fraction)."""

    path: str
    frame: int
    n_frames: int
    source_frame: int
    speed: str


class SyncedTrack(Document):
    """A camera's track, from the timeline's first frame on."""

    name: str
    clips: tuple[SyncedClip, ...]


class SyncedTimeline(Document):
    """A session's cameras as tracks that are in sync, from the bottom up; `losses` says what is not exact."""

    name: str
    frames_a_second: str
    start_timecode: str
    width: int
    height: int
    tracks: tuple[SyncedTrack, ...]
    losses: tuple[str, ...]


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


# --- maps -----------------------------------------------------------------------------------------


class Anchor(Document):
    """A moment of the run and one of the reference that a person saw to be at the same place; `marker` is the
    one that was put there."""

    id: str
    t_new_s: float
    t_ref_s: float
    marker: str | None


class Map(Document):
    """How a run lies on its trail's reference: a monotone cubic through its knots (`se_s`: one standard error
    of `t_ref`), within `support`. `anchors` are all there are, `fitted` those that the map was fitted with;
    `problem` says why it could not be fitted with the others, if so."""

    sync: str
    t_new: tuple[float, ...]
    t_ref: tuple[float, ...]
    se_s: tuple[float, ...]
    support: tuple[tuple[float, float], ...]
    anchors: tuple[Anchor, ...]
    fitted: tuple[tuple[float, float], ...]
    is_pending: bool
    problem: str


class AnchorWanted(Document):
    """Two moments at the same place."""

    t_new_s: Seconds
    t_ref_s: Seconds


# --- pictures -------------------------------------------------------------------------------------


class Likeness(Document):
    """How alike every moment of the run is to every moment of the reference: `z` is base64 of `n_new` rows
    of `n_ref` bytes each, of which 0 stands for `z_min` and 255 for `z_max`, in standard deviations above
    chance. `t_new` and `t_ref` are the times of rows and columns."""

    n_new: int
    n_ref: int
    t_new: tuple[float, ...]
    t_ref: tuple[float, ...]
    z: str
    z_min: float
    z_max: float


class Sightings(Document):
    """Moments that were seen to be at the same place. `residual_s` is `t_ref` less what the map says; of
    those with `n_inliers` above 0 that many key points were verified."""

    t_new: tuple[float, ...]
    t_ref: tuple[float, ...]
    residual_s: tuple[float, ...]
    n_inliers: tuple[int, ...]


class Quality(Document):
    """The map in numbers; residuals are in seconds of the reference."""

    verdict: Verdict
    model: str
    inlier_frac: float
    verified_frac: float
    typical_inliers: float
    coverage: float
    margin: float | None
    expected_error_s: float
    p50_s: float
    p90_s: float


class Figures(Document):
    """What a sync saw, against the map that counts; `witnesses` is how much of it came from whom."""

    likeness: Likeness
    pairs: Sightings
    quality: Quality
    witnesses: dict[str, float]


class Track(Document):
    """Where a recording went: metres east and north of `origin` (latitude, longitude), height (null where not
    known) and speed (null where nobody knows where the rider was), at `t_s`. Empty without GPS."""

    t_s: tuple[float, ...]
    east_m: tuple[float, ...]
    north_m: tuple[float, ...]
    ele_m: tuple[float | None, ...]
    speed_mps: tuple[float | None, ...]
    origin: tuple[float, float] | None


# --- markers --------------------------------------------------------------------------------------


class RunMarker(Versioned):
    """A run's marker, at `t_s` of it (null: the run does not show the place) and at `t_ref_s` of its trail's
    reference (null: that does not show it). `expected_error_s` bounds the error of `t_s` in nine cases of
    ten; one whose state is `added` is a person's own, on this run alone."""

    id: str
    name: str
    colour: str
    comment: str
    note: str
    labels: tuple[str, ...]
    t_ref_s: float | None
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
    note: Text | None = None
    labels: Labels | None = None
    state: Literal["accepted", "rejected"] | None = None


class RunMarkerWanted(Document):
    """A marker of a person's own, on one run alone."""

    name: Name
    t_s: Seconds
    t_ref_s: Seconds | None = None
    duration_s: Seconds = 0.0
    colour: Name | Literal[""] = ""
    comment: Text = ""
    note: Text = ""
    labels: Labels = ()


class Edit(Document):
    """What a person changed on a run, in words."""

    id: int
    what: str
    at: float
    is_undone: bool


class Edits(Document):
    """Edits, the newest first."""

    edits: tuple[Edit, ...]


class MarkerVersion(Document):
    """A marker as it was seen."""

    id: Id
    version: int


class Decision(Document):
    """The same word on several markers."""

    state: Literal["accepted", "rejected"]
    markers: tuple[MarkerVersion, ...] = Field(min_length=1, max_length=_MOST_MARKERS)

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if len({marker.id for marker in self.markers}) < len(self.markers):
            raise ValueError("a marker is named twice")
        return self


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


class Offer(Document):
    """What a run's markers would be in a format: files whose names end in `suffixes`, without what `losses`
    tell, or none at all, as `problem` says. `is_usual` where the settings have it written by itself;
    `written` are the files of this format that there are, the newest first."""

    format: str
    description: str
    suffixes: tuple[str, ...]
    losses: tuple[str, ...]
    problem: str
    is_usual: bool
    written: tuple[Export, ...]


class Offers(Document):
    """Every format, by name, for a run's markers as they are now; `folder` is where files would go."""

    folder: str
    offers: tuple[Offer, ...]


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


# --- DaVinci Resolve ------------------------------------------------------------------------------


class ResolveRequest(Document):
    """A run's markers, to be put on the timeline that is open in DaVinci Resolve; `said` is what came of
    it."""

    id: str
    recording: str
    state: Literal["waiting", "doing", "done", "failed"]
    said: str
    asked_at: float


class Resolve(Document):
    """Whether a script in DaVinci Resolve is connected, the timeline that is open there, and the last
    requests, the newest first."""

    is_connected: bool
    timeline: str | None
    requests: tuple[ResolveRequest, ...]


class ResolveConnection(Document):
    """A script asks what to do, and waits for it; `timeline` is the name of the one that is open."""

    timeline: Text | None
    wait_s: float = Field(20.0, ge=0, le=20)


class ResolveWork(Document):
    """What a script is to do next, if anything."""

    request: ResolveRequest | None


class ResolveRequestWanted(Document):
    """A run whose markers are wanted in DaVinci Resolve."""

    recording: Id


class ResolveRequestChange(Document):
    """What came of a request, in sentences."""

    state: Literal["done", "failed"]
    said: Text


# --- numbers --------------------------------------------------------------------------------------


class StrictGates(Document):
    """What a run's sync must reach to pass: `max_ppm` counts for affine maps only."""

    min_inlier_frac: float
    max_p90_s: float | None
    max_ppm: float | None


class Measure(Document):
    """A number that runs are compared by, and which of its ends is the `worse`."""

    field: str
    title: str
    unit: str
    worse: Literal["high", "low"]


class Spread(Document):
    """A measure over the `n` runs that have it."""

    n: int
    median: float
    worst: float
    worst_run: str


class NumbersSummary(Document):
    """All runs together: how many pass, each measure by its field, markers by tenths of their confidence."""

    n: int
    n_passed: int
    spreads: dict[str, Spread]
    confidence_n: tuple[int, ...]


class RunNumbers(Document):
    """How good a run's sync is and what it cost; null is what is not known. `recording` is the run's id,
    `fails` are sentences on why it does not pass the strict gates, none where it does. Residuals (`mae_s` to
    `p95_s`) are seconds of the reference, `stage_s` seconds by stage, `fps` pictures a second while
    looking."""

    run: str
    reference: str | None
    folder: str
    recording: str | None
    made_at: float
    verdict: str | None
    reasons: tuple[str, ...]
    model: str | None
    ppm: float | None
    inlier_frac: float | None
    verified_frac: float | None
    mae_s: float | None
    p50_s: float | None
    p90_s: float | None
    p95_s: float | None
    coverage: float | None
    margin: float | None
    expected_error_s: float | None
    n_markers: int | None
    n_placed: int | None
    n_review: int | None
    confidence_n: tuple[int, ...]
    stage_s: dict[str, float]
    total_s: float | None
    n_pictures: int | None
    fps: float | None
    cpu_pct: float | None
    rss_mb: float | None
    gpu_util: float | None
    gpu_mem_mb: float | None
    fails: tuple[str, ...]


class Numbers(Document):
    """The runs, the newest first, with what they are held against; `left_out` are sentences on files that
    could not be read."""

    gates: StrictGates
    measures: tuple[Measure, ...]
    summary: NumbersSummary
    runs: tuple[RunNumbers, ...]
    left_out: tuple[str, ...]


# --- the daemon itself ----------------------------------------------------------------------------


class Folder(Document):
    """A watched folder, and what is wrong with it; empty where nothing is."""

    path: str
    trail: str
    problem: str


class Folders(Document):
    """The watched folders."""

    folders: tuple[Folder, ...]


class FolderWanted(Document):
    """A folder to watch, and the trail that its runs show: its name, or `find` to have it found."""

    path: PathText
    trail: Name = FIND


class FolderUnwanted(Document):
    """A folder to watch no more."""

    path: PathText


class DiskFolder(Document):
    """A folder that can be chosen, unless there is a `problem`."""

    name: str
    path: str
    problem: str


class Disk(Document):
    """A folder of this computer: those in it, `n_more` that are too many to list, and how many videos lie
    right in it. Without a `path` these are places to begin at; `parent` is null where nothing is above it."""

    path: str | None
    parent: str | None
    folders: tuple[DiskFolder, ...]
    n_more: int
    n_videos: int


class DiskQuery(Query):
    """Which folder; none: where to begin."""

    path: PathText | None = None


class Health(Document):
    """Whether all is well, and if not, sentences on what is not; and what may be changed."""

    status: Literal["ok", "degraded"]
    reasons: tuple[str, ...]
    version: str
    started_at: float
    changes: Literal["all", "of runs", "none"]


class LoginCode(Document):
    """Where a browser comes in, once, within a minute."""

    url: str


class LoginQuery(Query):
    """The code to come in with, and the place of the page to go on to; what is no place is passed over."""

    code: str = Field(max_length=200)
    to: str = ""
