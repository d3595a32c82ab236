"""One function for each line of the menu. `run` is what the scripts in the menu call."""

import time
from fractions import Fraction
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import NotRunningError, ScriptError
from .client import Client, connect
from .host import Host, TimelineHandle
from .place import Recording, Sheet, comparable, frame_of, moment_at, nearest_frame, timecode
from .plan import Marker, Plan, Step, is_untouched, key_of, plan, undo, written_keys
from .show import Screen, screen
from .stack import laid, lined_up

_PAUSE_S = 1.0
# A window has to notice that it is closed, and Resolve's toolkit lets no other thread run meanwhile.
_TURN_S = 1.0
_SHOWN = 5
_CHOOSE = "Select clips in the media pool, or open a timeline that holds them, and run this script again."
_ONLY_REFERENCES = "There is no clip here that is not a reference itself."
_NO_SESSION = (
    "No session is lined up yet. Add two cameras to one on mtbsync's page, and run this script again."
)
_NOT_HERE = "Timeline '{}' does not show this run. Open one that does, and send the markers again."
_VERDICTS = {
    "accept": "is lined up",
    "review": "is lined up, but look at its markers before you trust them",
    "reject": "does not line up with any reference, so it gets no markers",
}


def set_reference(host: Host, client: Client, show: Screen) -> None:
    """Make the selected clip, or the one under the playhead, a reference that new runs are compared with."""
    paths = host.chosen_paths() or [path for path in [host.path_at_playhead()] if path]
    if not paths:
        raise ScriptError("Select one clip in the media pool, or put the playhead on it.")
    recordings = client.register(paths)
    if len(recordings) != 1:
        raise ScriptError(f"That is {len(recordings)} recordings. Select one.")
    client.set_reference(recordings[0])
    show.say(f"{recordings[0].name} is a reference now.")


def sync_clips(host: Host, client: Client, show: Screen) -> None:
    """Line the selected clips, or all of the timeline, up with their reference, and wait for it."""
    paths = host.chosen_paths() or _paths(host.timeline().sheet()[0])
    if not paths:
        raise ScriptError(_CHOOSE)
    recordings = [r for r in client.register(paths) if not r.is_reference]
    if not recordings:
        raise ScriptError(_ONLY_REFERENCES)
    for recording in recordings:
        show.progress(f"{recording.name}: waiting")
        for state in client.sync(recording, _PAUSE_S):
            show.progress("{}: {:.0f} %".format(recording.name, 100 * state["progress"]))
        if state["state"] in ("failed", "cancelled"):
            show.say("{}: {}".format(recording.name, state["error"]))
        else:
            reasons = " ".join(state["reasons"])
            show.say("{} {}. {}".format(recording.name, _VERDICTS[state["verdict"]], reasons).strip())
    show.say("Push markers to timeline puts the markers where they belong.")


def push_markers(host: Host, client: Client, show: Screen, only: Optional[str] = None) -> None:
    """Put the runs' markers, or the `only` run's, on the timeline; what the user made or changed stays as it
    is."""
    timeline = host.timeline()
    sheet, known = _read(timeline, client, show)
    # A reference's markers are where these come from, and may well have been pulled from this timeline.
    recordings = [r for r in known if not r.is_reference]
    if not recordings:
        raise ScriptError(_ONLY_REFERENCES)
    if only is not None:
        recordings = [r for r in recordings if r.recording_id == only]
        if not recordings:
            raise ScriptError(_NOT_HERE.format(timeline.name))
    wanted: Dict[str, Marker] = {}
    not_shown = 0
    for recording in recordings:
        for told in client.markers(recording):
            frame = frame_of(told["t_s"], recording, sheet)
            if frame is None:
                not_shown += 1
                continue
            end_s = told["t_s"] + told["duration_s"]
            n_frames = _frames(end_s, sheet) - _frames(told["t_s"], sheet)
            wanted[_key(recording, told["id"])] = Marker(
                frame, told["colour"], told["name"], told["note"], max(1, n_frames)
            )
    runs = {recording.recording_id for recording in recordings}
    pushes = [push["steps"] for push in client.pushes(timeline.timeline_id) if push["state"] == "done"]
    present = timeline.markers()
    reach = _frames(1.0, sheet)
    planned = plan(wanted, present, runs, sheet.n_frames, reach, written_keys(reversed(pushes)))
    done = _push(timeline, client, present, planned.steps) if planned.steps else []
    _report_push(show, planned, done, len(wanted), not_shown)


def pull_markers(host: Host, client: Client, show: Screen) -> None:
    """Tell mtbsync which markers the timeline has over each recording."""
    timeline = host.timeline()
    sheet, recordings = _read(timeline, client, show)
    found: Dict[str, List[Dict[str, Any]]] = {r.recording_id: [] for r in recordings}
    outside = 0
    for marker in timeline.markers():
        owner, _, marker_id = key_of(marker).partition("/")
        own = [r for r in recordings if r.recording_id == owner]
        seen = moment_at(marker.frame, own or recordings, sheet)
        if seen is None:
            outside += 1
            continue
        recording, t_s = seen
        found[recording.recording_id].append(
            {
                "id": marker_id if own else None,
                "t_s": t_s,
                "duration_s": float((marker.n_frames if marker.n_frames > 1 else 0) / sheet.rate),
                "name": marker.name,
                "colour": marker.colour,
                "note": marker.note,
                "changed": not is_untouched(marker),
            }
        )
    # A timeline that happens to show a recording without a marker says nothing about its markers.
    marked = [r for r in recordings if found[r.recording_id]]
    for recording in marked:
        client.put_markers(recording, timeline.timeline_id, found[recording.recording_id])
        show.say(f"{recording.name}: {_n(found[recording.recording_id])} told to mtbsync.")
    if not marked:
        show.say("There is no marker on a clip that mtbsync knows.")
    if outside:
        show.say(f"{_stand(outside)} on no clip that mtbsync knows, so left out.")


def undo_push(host: Host, client: Client, show: Screen) -> None:
    """Take the last push to this timeline back, but for what the user has changed since."""
    timeline = host.timeline()
    pushes = client.pushes(timeline.timeline_id)
    if not pushes:
        raise ScriptError(f"There is no push to take back on timeline '{timeline.name}'.")
    back = undo(pushes[0]["steps"], timeline.markers())
    done = timeline.do(back.steps)
    client.mark_undone(pushes[0]["id"])
    show.say("Taken back: {} of {} changes.".format(len(done), len(pushes[0]["steps"])))
    _list(show, "Left as you changed them", [m.name for m in back.refused])
    _list(show, "Resolve refused", [_name(s) for s in back.steps if s not in done])


def review_flagged(host: Host, client: Client, show: Screen) -> None:
    """List the markers that need a look and go to the first. One that the user has changed counts as seen."""
    timeline = host.timeline()
    sheet, recordings = _read(timeline, client, show)
    reasons = {
        _key(recording, told["id"]): told["reason"]
        for recording in recordings
        for told in client.markers(recording)
        if told["needs_review"]
    }
    flagged = [m for m in timeline.markers() if is_untouched(m) and key_of(m) in reasons]
    if not flagged:
        show.say("No marker on this timeline waits for review.")
        return
    times = [timecode(sheet.start_frame + m.frame, sheet.rate, sheet.drop_frame) for m in flagged]
    timeline.go_to(times[0])
    show.say(f"{_n(flagged)} to review; the playhead is on the first.")
    for at, marker in zip(times, flagged):
        show.say(f"{at}  {marker.name}: {reasons[key_of(marker)]}")
    show.say("Move a marker, or change its colour or text, and it counts as reviewed.")


def build_synced(host: Host, client: Client, show: Screen) -> None:
    """Build a session's cameras as a new timeline, one video and one audio track each, in sync."""
    sessions = lined_up(client.sessions())
    if not sessions:
        raise ScriptError(_NO_SESSION)
    number = show.choose("Which session?", ["{title}, {date}".format(**s) for s in sessions])
    if number is None:
        show.say("Nothing was built.")
        return
    session = sessions[number]
    told = client.synced_timeline(session["id"])
    show.progress("Importing the cameras of '{}'".format(session["title"]))
    rate = Fraction(told["frames_a_second"])
    media = host.media(list(dict.fromkeys(c["path"] for track in told["tracks"] for c in track["clips"])))
    stack = host.new_timeline(told["name"], rate, told["start_timecode"])
    wrong, silent = [], []
    for k, track in enumerate(told["tracks"], start=1):
        show.progress("Laying camera {}".format(track["name"]))
        owned = [(clip, media[clip["path"]]) for clip in track["clips"]]
        clips = [(laid(clip, rate, medium.rate(rate)), medium) for clip, medium in owned]
        n_wrong, has_sound = stack.lay(k, track["name"], clips)
        if n_wrong:
            wrong.append("{} ({} of {} clips)".format(track["name"], n_wrong, len(clips)))
        if not has_sound:
            silent.append(track["name"])
    show.say("Timeline '{}' has {} cameras in sync.".format(stack.name, len(told["tracks"])))
    for sentence in told["losses"]:
        show.say(sentence)
    _list(show, "Resolve laid these otherwise than asked, so check them", wrong)
    _list(show, "Without sound", silent)


def stay_connected(host: Host, client: Client, show: Screen) -> None:
    """Do what a person asks for on mtbsync's page, until they close the window or Resolve.

    A daemon that stops is waited for: it may only be updated, and has another address then.
    """
    show.say("Connected: mtbsync's page can send markers to the timeline that is open here.")
    while show.is_open() and host.is_running():
        timeline_name = host.timeline_name()
        try:
            request = client.next_request(timeline_name, _TURN_S)
            show.progress(f"Timeline '{timeline_name}' is open." if timeline_name else "No timeline is open.")
            if request is not None:
                _do_request(host, client, show, request)
        except ScriptError as error:
            is_away = isinstance(error, NotRunningError)
            show.progress("mtbsync is not running; waiting for it." if is_away else str(error))
            time.sleep(_PAUSE_S)
            client = _found_again() or client


_ACTIONS = {
    "Set clip as reference": set_reference,
    "Sync selected clips to reference": sync_clips,
    "Push markers to timeline": push_markers,
    "Pull markers from timeline": pull_markers,
    "Undo last push": undo_push,
    "Review flagged markers": review_flagged,
    "Stay connected to mtbsync": stay_connected,
    "Build synced timeline": build_synced,
}


def run(title: str, given: Dict[str, Any]) -> None:
    """Do what the menu's line `title` says; `given` are the globals that Resolve hands to a script."""
    fusion = given.get("fusion") or given.get("fu")
    show = screen("mtbsync: " + title, fusion, given.get("bmd"))
    try:
        _ACTIONS[title](Host(given.get("resolve")), connect(), show)
    except ScriptError as error:
        show.say(str(error))
    show.wait()


def _do_request(host: Host, client: Client, show: Screen, request: Dict[str, Any]) -> None:
    """Push the run that is asked for, and tell the page what the person here is told."""
    n_before = len(show.said)
    state = "done"
    try:
        push_markers(host, client, show, only=request["recording"])
    except ScriptError as error:
        show.say(str(error))
        state = "failed"
    client.answer(request, state, " ".join(show.said[n_before:]))


def _found_again() -> Optional[Client]:
    """The daemon that runs now, if one does."""
    try:
        return connect()
    except ScriptError:
        return None


def _read(timeline: TimelineHandle, client: Client, show: Screen) -> Tuple[Sheet, List[Recording]]:
    """The timeline's clips, and the recordings among them; says which clips were passed over."""
    show.progress(f"Reading timeline '{timeline.name}'")
    sheet, retimed = timeline.sheet()
    _list(show, "Passed over, as they play at another speed", retimed)
    paths = _paths(sheet)
    recordings = client.find(paths) if paths else []
    if not recordings:
        raise ScriptError(f"mtbsync knows none of the clips on timeline '{timeline.name}'.")
    return sheet, recordings


def _push(timeline: TimelineHandle, client: Client, present: List[Marker], steps: List[Step]) -> List[Step]:
    """The steps, noted in the journal before and after."""
    push_id = client.begin_push(timeline.timeline_id, timeline.name, steps)
    if timeline.markers() != present:
        client.mark_undone(push_id)
        raise ScriptError("The timeline's markers changed meanwhile; nothing was done. Try again.")
    done = timeline.do(steps)
    client.end_push(push_id, done)
    return done


def _report_push(show: Screen, planned: Plan, done: Sequence[Step], n_wanted: int, not_shown: int) -> None:
    added = sum(step.before is None for step in done)
    removed = sum(step.after is None for step in done)
    changed = len(done) - added - removed
    if not planned.steps:
        show.say(f"Nothing to do: {n_wanted} already as wanted.")
    else:
        show.say(f"Markers: {added} added, {changed} changed, {removed} taken away.")
    _list(show, "Left as you changed them", [m.name for m in planned.kept])
    _list(show, "Left out, as you removed them", [m.name for m in planned.removed])
    moved = [f"{m.name} ({by:+} frames)" for m, by in planned.shifted]
    _list(show, "Moved, as another marker has the frame", moved)
    _list(show, "Not placed, as every frame within a second has a marker", [m.name for m in planned.unplaced])
    _list(show, "Resolve refused", [_name(s) for s in planned.steps if s not in done])
    if not_shown:
        show.say(f"{_stand(not_shown)} in parts of the runs that this timeline does not show.")


def _paths(sheet: Sheet) -> List[str]:
    return list({comparable(clip.path): clip.path for clip in sheet.clips}.values())


def _key(recording: Recording, marker_id: str) -> str:
    return f"{recording.recording_id}/{marker_id}"


def _frames(t_s: float, sheet: Sheet) -> int:
    return nearest_frame(t_s, sheet.rate)


def _n(things: Sequence[Any]) -> str:
    return "1 marker" if len(things) == 1 else f"{len(things)} markers"


def _stand(n: int) -> str:
    return "1 marker stands" if n == 1 else f"{n} markers stand"


def _name(step: Step) -> str:
    return "'{}'".format((step.after or step.before or Marker(0, "", "", "", 1)).name)


def _list(show: Screen, kind: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        show.say("{}: {}{}.".format(kind, ", ".join(names[:_SHOWN]), more))
