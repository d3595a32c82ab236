"""Sessions in words: their tables, and what is to be done next. `session` is the daemon's document of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mtbsync_daemon.hints import hint, word

UNDER_WAY = ("uploading", "ingesting")

CAMERAS = ("camera", "file", "length", "frames/s", "sound over noise", "state")
# Eighty columns hold these, with all that any of them says.
PLACEMENTS = ("camera", "offset ms", "drift ppm", "± ms", "score", "trust", "decided")
SESSIONS = ("session", "id", "date", "cameras", "state")
HISTORY = ("when", "camera", "what", "offset ms", "drift ppm")

# As the page says it.
_TRUST = {
    "looks-good": "looks good",
    "review-suggested": "worth a look",
    "needs-manual-nudge": "needs your hand",
}


def session_row(session: Mapping[str, Any]) -> tuple[str, ...]:
    """A session among others."""
    n_cameras = str(len(session["cameras"]))
    return session["title"], session["id"], session["date"], n_cameras, plain(session["status"])


def camera_rows(session: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Each camera's footage, and how far it is."""
    return [
        (
            camera["label"],
            camera["file_name"],
            _length(camera["duration_s"]) if camera["recording"] else "",
            camera["frames_a_second"] or "",
            _sound(camera),
            plain(camera["status"]),
        )
        for camera in session["cameras"]
    ]


def placement_rows(session: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Where each camera lies; the master, which lies where it lies, comes first."""
    if session["master"] is None:
        return []
    rows: list[tuple[str, ...]] = [(session["master"], "0.0", "", "", "", "", "master")]
    for lies in session["placements"]:
        error_ms = "" if lies["error_ms"] is None else f"{lies['error_ms']:.1f}"
        found = (error_ms, f"{lies['score']:.1f}", _TRUST[lies["trust"]])
        # What was found says nothing of where a person has put it.
        told = ("", "", "") if lies["status"] == "corrected" else found
        decided = "not yet" if lies["status"] == "pending" else lies["status"]
        rows.append((lies["camera"], *_clock(lies), *told, decided))
    return rows


def history_row(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Something that was found or decided."""
    at = datetime.fromtimestamp(event["at"]).isoformat(" ", "seconds")
    return at, event["camera"], event["what"], *_clock(event)


def reasons(session: Mapping[str, Any]) -> list[str]:
    """What each placement rests on, or is missing."""
    said = []
    for lies in session["placements"]:
        if lies["status"] == "corrected":
            said.append(f"{lies['camera']}: It lies where you put it.")
            continue
        method = f" ({lies['method']})" if lies["method"] else ""
        through = f", laid on {lies['through']}" if lies["through"] else ""
        said.append(f"{lies['camera']}{method}{through}: {lies['reason']}")
    return said


def asked_again(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """That what a person decided of some cameras is open once more; empty where nothing is."""
    decided = {lies["camera"] for lies in before["placements"] if lies["status"] != "pending"}
    is_open = [lies["camera"] for lies in after["placements"] if lies["status"] == "pending"]
    again = [label for label in is_open if label in decided]
    if not again:
        return ""
    moved = before["master"] != after["master"]
    why = f"They lie on the clock of {after['master']} now" if moved else "They were found elsewhere"
    return f"{why}: what you decided on {listed(again)} waits for you again."


def next_step(session: Mapping[str, Any], name: str, data: Path) -> str:
    """What is to be done next about a session that the user calls `name`, in sentences."""

    def command(which: str, more: str = "") -> str:
        return hint(f"mtbsync session {which} {word(name)}{more}", data)

    cameras = session["cameras"]
    match session["status"]:
        case "draft":
            missing = "another camera" if cameras else "its cameras"
            return f"{command('add', ' FILE')} adds {missing}."
        case "ingesting":
            said = [f"Camera {c['label']}: {c['problem']}" for c in cameras if c["problem"]]
            if coming := [c["label"] for c in cameras if c["status"] == "ingesting"]:
                said.append(f"{listed(coming)} {_is(coming)} being taken in; {command('show')} looks again.")
            if sent := [c["label"] for c in cameras if c["status"] == "uploading"]:
                said.append(
                    f"The footage of {listed(sent)} has not all come; {command('show')} looks again. Where "
                    "an upload from the page broke off, drop it there once more."
                )
            return " ".join(said)
        case "syncing" if session["problem"]:
            return f"{session['problem']} The cameras are lined up by themselves once that is put right."
        case "syncing":
            return f"The cameras are being lined up; {command('show')} tells what came of it."
        case "ready":
            return f"{command('export', ' --format resolve-otio')} writes it for an editor."
    said = []
    for camera in cameras:
        if camera["status"] == "failed":
            remove = command("remove", f" {word(camera['label'])}")
            said.append(
                f"Camera {camera['label']} could not be taken in: {camera['problem']} Once that is put "
                f"right, try again on the page; {remove} takes it out."
            )
    if session["problem"]:
        said.append(f"{session['problem']} {command('sync')} tries again.")
    is_open = [lies for lies in session["placements"] if lies["status"] == "pending"]
    found = [lies["camera"] for lies in is_open if lies["offset_ms"] is not None]
    lost = [lies["camera"] for lies in is_open if lies["offset_ms"] is None]
    if found:
        is_sure = all(lies["trust"] == "looks-good" for lies in is_open)
        which = "" if is_sure else "".join(f" {word(label)}" for label in found)
        said.append(
            f"Look at {listed(found)} on the page ({hint('mtbsync status --open', data)}); "
            f"{command('approve', which)} says that it is well so."
        )
    if lost:
        one, lie = (word(lost[0]), "lies") if len(lost) == 1 else ("CAMERA", "lie")
        correct = command("correct", f" {one} --offset-ms X")
        said.append(f"Nothing tells where {listed(lost)} {lie}; {correct} says it.")
    return " ".join(said) or f"{command('sync')} lines the cameras up."


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: A, B and C."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def plain(name: str) -> str:
    """A name of the interface as a person reads it."""
    return name.replace("-", " ")


def _clock(lies: Mapping[str, Any]) -> tuple[str, str]:
    """Offset and drift."""
    if lies["offset_ms"] is None:
        return "unknown", ""
    return f"{lies['offset_ms']:+.1f}", f"{lies['drift_ppm'] or 0.0:+.2f}"


def _length(duration_s: float) -> str:
    minutes, seconds = divmod(round(duration_s), 60)
    return f"{minutes}:{seconds:02}"


def _sound(camera: Mapping[str, Any]) -> str:
    if camera["quality"] is not None:
        return f"{camera['quality']['snr_db']:.0f} dB"
    return "" if camera["has_audio"] or not camera["recording"] else "none"
