"""Commands for events that several cameras recorded: session create, add, sync, show, approve, export …"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import date as Day  # noqa: N812
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli import session_given as given
from mtbsync_daemon.cli import session_words as words
from mtbsync_daemon.cli.command import EXIT_INTERRUPTED, UsageError, ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.hints import hint, with_roots
from mtbsync_engine.errors import InputError

if TYPE_CHECKING:
    from mtbsync_daemon.client import Client

app = typer.Typer(help="Line up several cameras by their sound.")

_PAUSE_S = 0.5
_PAGE = "200"
_FORBIDDEN = 403
# A day.
_MOST_MS = 86_400_000.0
_MOST_PPM = 1000.0
NameOfSession = Annotated[str, typer.Argument(metavar="SESSION", help="The session's title, or its id.")]
NameOfCamera = Annotated[str, typer.Argument(metavar="CAMERA", help="The camera's label.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Only ask for it, and do not wait.")]


@app.command("create")
@ends_well
def create(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What to call it.")],
    project: Annotated[str, typer.Option("--project", help="The project that it belongs to.")] = "",
    date: Annotated[
        str | None, typer.Option("--date", help="Its day, YYYY-MM-DD.", show_default="today")
    ] = None,
    location: Annotated[str, typer.Option("--location", help="Where it was.")] = "",
    notes: Annotated[str, typer.Option("--notes", help="Anything else worth knowing.")] = "",
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Begin a session."""
    from mtbsync_daemon.client import connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    day = Day.today().isoformat() if date is None else given.day(date)
    about = {"title": given.filled(title, "A session needs a title"), "date": day}
    client = connect(kept)
    for other in _sessions(client):
        if other["date"] == day and other["title"].casefold() == about["title"].casefold():
            raise InputError(
                f"{other['title']} of {day} is a session already, with the id {other['id']}; choose another "
                "title, or name that one in other commands."
            )
    wanted = {**about, "project": project, "location": location, "notes": notes}
    session = client.ask("POST", "/sessions", wanted)
    step = words.next_step(session, session["title"], kept)
    console.say(f"{session['title']} is a session now, with the id {session['id']}. {step}")
    console.result({"ok": True, "session": session})
    return 0


@app.command("list")
@ends_well
def list_(data: o.DataFolder = None, as_json: o.AsJson = False, quiet: o.Quiet = False) -> int:
    """List the sessions, the newest first."""
    from mtbsync_daemon.client import connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    found = list(_sessions(connect(kept)))
    if found:
        console.table("Sessions", words.SESSIONS, [words.session_row(session) for session in found])
    else:
        console.say(f"There is no session yet; {hint('mtbsync session create TITLE', kept)} begins one.")
    console.result({"ok": True, "sessions": found})
    return 0


@app.command("add")
@ends_well
def add(
    name: NameOfSession,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="A file of each camera's.")],
    camera: Annotated[
        str | None,
        typer.Option("--camera", help="What to call the camera.", show_default="the next letter"),
    ] = None,
    no_wait: NoWait = False,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Add cameras by the files that they recorded.

    The files stay where they are. Chapters of one recording are one camera. Once all are taken in, they are
    lined up by themselves.
    """
    from mtbsync_daemon.client import connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    firsts = given.first_files(files)
    if camera is not None:
        camera = given.filled(camera, "A camera needs a label")
        if len(firsts) > 1:
            raise UsageError(f"--camera names one camera, and these files are {len(firsts)} recordings")
    session = _named(client, name, kept)
    file_of: dict[str, str] = {}
    for first in given.new_to(console, session, firsts):
        before = _labels(session)
        session = _with_camera(client, session, first, camera)
        # One that had failed is there already, and begins anew.
        its = [c for c in session["cameras"] if c["label"] not in before or Path(c["path"]) == first]
        file_of |= {c["label"]: first.name for c in its}
    told = words.listed([f"{file} as {label}" for label, file in file_of.items()])
    console.say(f"Added to {session['title']}: {told}.")
    if not no_wait:
        try:
            session = _taken_in(console, client, session, file_of)
        except KeyboardInterrupt:
            console.fail("The cameras are added; they are still being taken in in the background.")
            return EXIT_INTERRUPTED
        _check_taken_in(console, session, file_of)
    console.say(words.next_step(session, name, kept))
    added = [label for label in _labels(session) if label in file_of]
    console.result({"ok": True, "session": session, "added": added})
    return 0


@app.command("sync")
@ends_well
def sync(
    name: NameOfSession,
    master: Annotated[
        str | None,
        typer.Option(
            "--master",
            help='The camera to lay the others on; "" for the one that sounds best.',
            show_default="as before",
        ),
    ] = None,
    no_wait: NoWait = False,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Line a session's cameras up once more.

    What you corrected stays; what you approved waits for you again where it is found elsewhere, or laid on
    another master.
    """
    from mtbsync_daemon.client import connect, quoted

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    before = session = _named(client, name, kept)
    here = _place(session)
    if master is not None:
        wanted = {"master": master and _camera(session, master)["label"]}
        session = client.ask("PATCH", here, wanted, version=session["version"])
    job_id = client.ask("POST", f"{here}/line-up")["job"]
    try:
        job = client.get(f"/jobs/{quoted(job_id)}") if no_wait else _ended(console, client, job_id)
        if job["state"] in ("failed", "cancelled"):
            raise InputError(f"{session['title']} could not be lined up: {job['error']}")
        session = client.get(here)
        if not no_wait:
            session = _lined_up(console, client, session, before)
    except KeyboardInterrupt:
        console.fail(f"{session['title']} is still being lined up in the background.")
        return EXIT_INTERRUPTED
    if not no_wait:
        _show_placements(console, session)
        if again := words.asked_again(before, session):
            console.say(again)
    console.say(words.next_step(session, name, kept))
    console.result({"ok": True, "session": session})
    return 0


@app.command("show")
@ends_well
def show(
    name: NameOfSession,
    history: Annotated[
        bool, typer.Option("--history", help="Show what was found and decided as well, the newest first.")
    ] = False,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Show a session: its cameras, how they lie on each other, and what is to be done next."""
    from mtbsync_daemon.client import connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    session = _named(client, name, kept)
    document: dict[str, Any] = {"ok": True, "session": session}
    about = [session["date"], session["project"], session["location"], words.plain(session["status"])]
    console.say(f"{session['title']} ({', '.join(filter(None, about))})")
    if session["notes"]:
        console.say(session["notes"])
    if session["cameras"]:
        console.table("Cameras", words.CAMERAS, words.camera_rows(session))
    _show_placements(console, session)
    if history:
        document["history"] = client.get(f"{_place(session)}/history")["events"]
        console.table("History", words.HISTORY, [words.history_row(e) for e in document["history"]])
    console.say(words.next_step(session, name, kept))
    console.result(document)
    return 0


@app.command("approve")
@ends_well
def approve(
    name: NameOfSession,
    cameras: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CAMERA...]", help="Their labels.", show_default="all that look good"),
    ] = None,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Say that cameras lie where they were found."""
    from mtbsync_daemon.client import connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    session = _named(client, name, kept)
    if cameras:
        named = [_placement(session, camera) for camera in cameras]
        chosen = list({lies["camera"]: lies for lies in named}.values())
        for lies in chosen:
            session = _decide(client, session, lies, {"status": "approved"})
    else:
        is_open = [lies for lies in session["placements"] if lies["status"] == "pending"]
        chosen = [lies for lies in is_open if lies["trust"] == "looks-good"]
        session = client.ask("POST", f"{_place(session)}/approval")
    labels = words.listed([lies["camera"] for lies in chosen])
    console.say(f"Approved: {labels}." if chosen else "There was nothing to approve that looks good.")
    console.say(words.next_step(session, name, kept))
    console.result({"ok": True, "session": session})
    return 0


@app.command("correct")
@ends_well
def correct(
    name: NameOfSession,
    camera: NameOfCamera,
    offset_ms: Annotated[
        float | None,
        typer.Option(
            "--offset-ms",
            parser=given.number("--offset-ms", _MOST_MS),
            metavar="MS",
            help="When it began, in ms after the master; negative: before.",
        ),
    ] = None,
    by_ms: Annotated[
        float | None,
        typer.Option(
            "--by-ms",
            parser=given.number("--by-ms", _MOST_MS),
            metavar="MS",
            help="How much later it is to lie; negative: earlier.",
        ),
    ] = None,
    by_frames: Annotated[
        int | None,
        typer.Option(
            "--by-frames", parser=given.frames, metavar="FRAMES", help="The same, in frames of that camera."
        ),
    ] = None,
    drift_ppm: Annotated[
        float | None,
        typer.Option(
            "--drift-ppm",
            parser=given.number("--drift-ppm", _MOST_PPM),
            metavar="PPM",
            help="How its clock drifts.",
            show_default="as it is",
        ),
    ] = None,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Say where a camera lies on the master's clock."""
    from mtbsync_daemon.client import connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    n_ways = sum(way is not None for way in (offset_ms, by_ms, by_frames))
    if n_ways > 1 or (n_ways == 0 and drift_ppm is None):
        raise UsageError("Say one of --offset-ms, --by-ms and --by-frames, or --drift-ppm")
    session = _named(client, name, kept)
    lies = _placement(session, camera)
    if offset_ms is None:
        if lies["offset_ms"] is None:
            raise InputError(
                f"Nothing tells yet where camera {lies['camera']} lies; say it with --offset-ms."
            )
        moved_ms = given.frames_ms(_camera(session, camera), by_frames) if by_frames is not None else by_ms
        offset_ms = lies["offset_ms"] + (moved_ms or 0.0)
    wanted = {
        "status": "corrected",
        "offset_ms": offset_ms,
        "drift_ppm": lies["drift_ppm"] if drift_ppm is None else drift_ppm,
    }
    session = _decide(client, session, lies, wanted)
    console.say(f"Camera {lies['camera']} lies at {offset_ms:+.1f} ms now.")
    console.say(words.next_step(session, name, kept))
    console.result({"ok": True, "session": session})
    return 0


@app.command("take-back")
@ends_well
def take_back(
    name: NameOfSession,
    camera: NameOfCamera,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Leave open again where a camera lies, as it was found."""
    from mtbsync_daemon.client import connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    session = _named(client, name, kept)
    lies = _placement(session, camera)
    if lies["status"] == "pending":
        raise InputError(f"Nothing was decided on camera {lies['camera']} yet.")
    session = _decide(client, session, lies, {"status": "pending"})
    console.say(f"Camera {lies['camera']} lies where it was found, and waits for you again.")
    console.say(words.next_step(session, name, kept))
    console.result({"ok": True, "session": session})
    return 0


@app.command("label")
@ends_well
def label(
    name: NameOfSession,
    camera: NameOfCamera,
    new: Annotated[str, typer.Argument(metavar="LABEL", help="What to call it instead.")],
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Call a camera something else."""
    from mtbsync_daemon.client import connect, quoted

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    session = _named(client, name, kept)
    old = _camera(session, camera)["label"]
    wanted = {"label": given.filled(new, "A camera needs a label")}
    session = client.ask("PATCH", f"{_place(session)}/cameras/{quoted(old)}", wanted)
    console.say(f"Camera {old} is called {wanted['label']} now.")
    console.result({"ok": True, "session": session})
    return 0


@app.command("export")
@ends_well
def export(
    name: NameOfSession,
    format_name: Annotated[
        str, typer.Option("--format", help="Format to write: otio, resolve-otio, fcpxml, premiere, edl …")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write.", show_default="here, by its title")
    ] = None,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Write the cameras in sync for an editor, each on a track of its own."""
    from mtbsync_daemon.client import connect, quoted
    from mtbsync_engine.files import check_output, replacing

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    session = _named(client, name, kept)
    found = client.get(f"{_place(session)}/offers")
    offers = found["offers"]
    offer = next((offer for offer in offers if offer["format"] == format_name), None)
    if offer is None:
        known = words.listed([offer["format"] for offer in offers])
        raise UsageError(f"No session is written as {format_name}; there are {known}")
    if offer["problem"]:
        raise InputError(offer["problem"])
    if out is not None:
        check_output(out)
    called, content = client.download(f"{_place(session)}/exports/{quoted(format_name)}")
    path = out or Path(Path(called).name)
    if path.suffix.lower() != Path(called).suffix:
        raise InputError(f"What is written ends in {Path(called).suffix}; name it so with --out.")
    check_output(path)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    console.say(f"Written: {path}")
    losses = [*found["notes"], *offer["losses"]]
    for loss in losses:
        console.warn(loss)
    console.result({"ok": True, "files": [str(path)], "losses": losses})
    return 0


@app.command("remove")
@ends_well
def remove(
    name: NameOfSession,
    camera: Annotated[
        str | None,
        typer.Argument(metavar="[CAMERA]", help="A camera's label.", show_default="the whole session"),
    ] = None,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Forget a session, or take one camera out of it.

    Footage always stays where it is.
    """
    from mtbsync_daemon.client import connect, quoted

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    session = _named(client, name, kept)
    if camera is None:
        client.ask("DELETE", _place(session))
        console.say(f"{session['title']} is no session any more; its footage stays where it is.")
        console.result({"ok": True, "session": session["id"]})
        return 0
    label = _camera(session, camera)["label"]
    left = client.ask("DELETE", f"{_place(session)}/cameras/{quoted(label)}")
    console.say(f"Camera {label} is out of {session['title']}; its footage stays where it is.")
    if session["master"] == label and any(p["status"] != "pending" for p in session["placements"]):
        console.say(
            "The others are laid on another camera now: what you corrected stays where it is sure how both "
            "lie on each other, and what you approved waits for you again."
        )
    console.say(words.next_step(left, name, kept))
    console.result({"ok": True, "session": left})
    return 0


# --- what the daemon has -------------------------------------------------------------------------------


def _sessions(client: Client) -> Iterator[dict[str, Any]]:
    query = {"limit": _PAGE}
    while True:
        page = client.get("/sessions", query)
        yield from page["sessions"]
        if page["next_cursor"] is None:
            return
        query = {"limit": _PAGE, "cursor": page["next_cursor"]}


def _named(client: Client, name: str, kept: Path) -> dict[str, Any]:
    """The session of that id, or of that title, whatever its capitals."""
    known = list(_sessions(client))
    wanted = name.casefold()
    found = [s for s in known if s["id"] == name] or [s for s in known if s["title"].casefold() == wanted]
    if len(found) > 1:
        ids = words.listed([f"{s['id']} ({s['date']})" for s in found])
        raise InputError(f"Several sessions are called {name}; name one by its id: {ids}.")
    if not found:
        raise InputError(
            f"There is no session called {name}; {hint('mtbsync session list', kept)} names them."
        )
    return found[0]


def _camera(session: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    """The session's camera of that label, whatever its capitals where only one is meant."""
    cameras = session["cameras"]
    same = [c for c in cameras if c["label"] == label]
    alike = [c for c in cameras if c["label"].casefold() == label.casefold()]
    found = same or alike
    if len(found) != 1:
        known = words.listed(_labels(session)) or "none yet"
        raise InputError(f"{session['title']} has no camera called {label}; its cameras: {known}.")
    return dict(found[0])


def _placement(session: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    camera = _camera(session, label)["label"]
    if camera == session["master"]:
        raise InputError(f"Camera {camera} is the master, on whose clock the others lie.")
    for lies in session["placements"]:
        if lies["camera"] == camera:
            return dict(lies)
    raise InputError(f"Camera {camera} was not lined up yet.")


def _labels(session: Mapping[str, Any]) -> list[str]:
    return [camera["label"] for camera in session["cameras"]]


def _place(session: Mapping[str, Any]) -> str:
    return f"/sessions/{session['id']}"


# --- asking for things ---------------------------------------------------------------------------------


def _with_camera(
    client: Client, session: Mapping[str, Any], first: Path, label: str | None
) -> dict[str, Any]:
    from mtbsync_daemon.client import RefusedError

    wanted = {"path": str(first)} | ({} if label is None else {"label": label})
    try:
        return client.ask("POST", f"{_place(session)}/cameras", wanted)
    except RefusedError as error:
        if error.status != _FORBIDDEN:
            raise
        raise InputError(with_roots(str(error), first)) from error


def _decide(
    client: Client, session: Mapping[str, Any], lies: Mapping[str, Any], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    from mtbsync_daemon.client import quoted

    path = f"{_place(session)}/cameras/{quoted(lies['camera'])}/placement"
    return client.ask("PUT", path, wanted, version=lies["version"])


def _taken_in(
    console: Console, client: Client, session: dict[str, Any], added: Mapping[str, str]
) -> dict[str, Any]:
    """The session, once none of the cameras that were added is under way any more."""
    said: set[str] = set()
    with console.progress("Taking in", len(added)) as done:
        while True:
            waiting = [
                c for c in session["cameras"] if c["label"] in added and c["status"] in words.UNDER_WAY
            ]
            if not waiting:
                return session
            for camera in waiting:
                _warn_once(console, said, camera["problem"])
            done(len(added) - len(waiting) + sum(_share_done(client, camera) for camera in waiting))
            time.sleep(_PAUSE_S)
            session = client.get(_place(session))


def _share_done(client: Client, camera: Mapping[str, Any]) -> float:
    from mtbsync_daemon.client import quoted

    progress = camera["job"] and client.get(f"/jobs/{quoted(camera['job'])}")["progress"]
    return (progress and progress["done"]) or 0.0


def _check_taken_in(console: Console, session: Mapping[str, Any], added: Mapping[str, str]) -> None:
    """
    Raises:
        InputError: one of the cameras that were added could not be taken in.
    """
    for label in added.keys() - set(_labels(session)):
        console.warn(f"{added[label]} is the same recording as another camera's, and was left out.")
    failed = [c for c in session["cameras"] if c["label"] in added and c["status"] == "failed"]
    if failed:
        raise InputError(" ".join(f"{c['file_name']} could not be taken in: {c['problem']}" for c in failed))


def _ended(console: Console, client: Client, job_id: str) -> dict[str, Any]:
    from mtbsync_daemon.client import quoted

    said: set[str] = set()
    with console.progress("Lining up", 1.0) as done:
        while True:
            job = client.get(f"/jobs/{quoted(job_id)}")
            if job["state"] not in ("queued", "running"):
                return job
            _warn_once(console, said, job["error"])
            done((job["progress"] and job["progress"]["done"]) or 0.0)
            time.sleep(_PAUSE_S)


def _lined_up(
    console: Console, client: Client, session: dict[str, Any], before: Mapping[str, Any]
) -> dict[str, Any]:
    """The session, once it is lined up anew: where a camera's sound was cleared away, it is taken out again
    first. Cameras that were not ready before, as by an upload that broke off, are not waited for."""
    were_ready = [c["label"] for c in before["cameras"] if c["status"] == "ready"]
    said: set[str] = set()
    while True:
        again = [c for c in session["cameras"] if c["label"] in were_ready and c["status"] == "ingesting"]
        if not again and session["status"] != "syncing":
            return session
        for problem in (session["problem"], *(camera["problem"] for camera in again)):
            _warn_once(console, said, problem)
        time.sleep(_PAUSE_S)
        session = client.get(_place(session))


def _warn_once(console: Console, said: set[str], problem: str | None) -> None:
    """Tell what keeps something from being done just now, such as a drive that is away or a full disk."""
    if problem and problem not in said:
        said.add(problem)
        console.warn(f"{problem} This is tried again by itself; Ctrl-C leaves it to the background.")


def _show_placements(console: Console, session: Mapping[str, Any]) -> None:
    rows = words.placement_rows(session)
    if rows:
        console.table("On the master's clock", words.PLACEMENTS, rows)
    for reason in words.reasons(session):
        console.say(reason)
