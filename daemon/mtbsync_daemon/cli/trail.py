"""Commands for the daemon's trails: trail add, list, show, assign, remove."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.carry import markers_of_reference
from mtbsync_daemon.cli.command import EXIT_INTERRUPTED, EXIT_REJECTED, UsageError, ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.hints import hint, with_roots
from mtbsync_engine.errors import InputError

if TYPE_CHECKING:
    from mtbsync_daemon.client import Client
    from mtbsync_engine.model import Marker

app = typer.Typer(help="The trails that the daemon compares new runs with.")

_PAUSE_S = 0.5
_PAGE = "200"
_FORBIDDEN, _NOT_FOUND, _LATER = 403, 404, 503
NameOfTrail = Annotated[str, typer.Argument(metavar="NAME", help="The trail's name.")]


@app.command("add")
@ends_well
def add(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="The reference run's video.")],
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the trail.", show_default="as its video")
    ] = None,
    markers: Annotated[
        Path | None, typer.Option("--markers", "-m", help="The reference's markers, in any format.")
    ] = None,
    markers_fps: o.MarkersFps = None,
    markers_start_tc: o.MarkersStartTc = None,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Make a run the reference of a new trail, or give its trail other markers.

    Then wait until its video has been looked at, so that new runs can be compared with it.
    """
    from mtbsync_daemon.client import connect, quoted

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    marked = markers_of_reference(console, markers, markers_fps, markers_start_tc, video)
    recording = _registered(client, video.absolute())
    wanted: dict[str, Any] = {"markers": [_document(m) for m in marked]}
    if name is not None:
        wanted["name"] = name
    known = next((t for t in _trails(client) if t["recording"] == recording["id"]), None)
    if known is None:
        trail = client.ask("POST", "/trails", wanted | {"recording": recording["id"]})
        console.say(
            f"{trail['name']} is a trail now, with {len(marked)} markers; {recording['name']} is looked at."
        )
    elif markers is None:
        raise InputError(
            f"That recording is the reference of a trail already, {known['name']}: --markers gives that "
            f"other markers, and {hint('mtbsync trail remove NAME', kept)} forgets it."
        )
    else:
        trail = client.ask("PATCH", f"/trails/{quoted(known['id'])}", wanted, version=known["version"])
        console.say(
            f"{trail['name']} is a trail already; it has the markers of {markers.name} now, and so will its "
            "runs."
        )
    try:
        _wait_until_ready(console, client, trail)
    except KeyboardInterrupt:
        console.fail(f"{trail['name']} is a trail; it is still being looked at in the background.")
        return EXIT_INTERRUPTED
    console.say("New runs are compared with it from now on.")
    console.result({"ok": True, "trail": trail | {"is_ready": True}})
    return 0


@app.command("list")
@ends_well
def list_(data: o.DataFolder = None, as_json: o.AsJson = False, quiet: o.Quiet = False) -> int:
    """List the trails."""
    from mtbsync_daemon.client import connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    found = list(_trails(connect(kept)))
    rows: list[tuple[str, ...]] = [
        (t["name"], str(len(t["markers"])), "yes" if t["is_ready"] else "not yet") for t in found
    ]
    if rows:
        console.table("Trails", ("trail", "markers", "ready"), rows)
    else:
        add = hint("mtbsync trail add REF.MP4 --markers markers.csv", kept)
        console.say(f"There is no trail yet; {add} makes one.")
    console.result({"ok": True, "trails": found})
    return 0


@app.command("show")
@ends_well
def show(
    name: NameOfTrail, data: o.DataFolder = None, as_json: o.AsJson = False, quiet: o.Quiet = False
) -> int:
    """Show a trail: its reference and its markers."""
    from mtbsync_daemon.client import connect, quoted

    console = Console(as_json=as_json, quiet=quiet)
    client = connect(o.data_folder(data))
    trail = _named(client, name)
    recording = client.get(f"/recordings/{quoted(trail['recording'])}")
    for file in recording["files"]:
        console.say(f"Reference: {file['path']}")
    rows: list[tuple[str, ...]] = [
        (m["name"], f"{m['t_s']:.3f} s", m["colour"], m["comment"]) for m in trail["markers"]
    ]
    console.table(trail["name"], ("marker", "time", "colour", "comment"), rows)
    console.result({"ok": True, "trail": trail, "recording": recording})
    return 0


@app.command("remove")
@ends_well
def remove(
    name: NameOfTrail, data: o.DataFolder = None, as_json: o.AsJson = False, quiet: o.Quiet = False
) -> int:
    """Forget a trail.

    Its video stays, and so do the markers that runs got from it.
    """
    from mtbsync_daemon.client import connect, quoted

    console = Console(as_json=as_json, quiet=quiet)
    client = connect(o.data_folder(data))
    trail = _named(client, name)
    client.ask("DELETE", f"/trails/{quoted(trail['id'])}", version=trail["version"])
    console.say(f"{trail['name']} is no trail any more; runs keep the markers that they got from it.")
    console.result({"ok": True, "trail": trail["id"]})
    return 0


@app.command("assign")
@ends_well
def assign(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's video, or its id.")],
    name: Annotated[str, typer.Argument(metavar="TRAIL", help="The trail's name.")],
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Line a run up with a trail that you choose.

    For a run of which mtbsync could not tell which trail it shows.
    """
    from mtbsync_daemon.client import connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    client = connect(kept)
    trail = _named(client, name)
    recording = _registered(client, Path(run).absolute()) if Path(run).exists() else _of_id(client, run)
    wanted = {"recording": recording["id"], "trail": trail["id"]}
    asked = client.ask("POST", "/syncs", wanted)
    try:
        sync = _ended(console, client, asked)
    except KeyboardInterrupt:
        console.fail(f"{recording['name']} is still being lined up in the background.")
        return EXIT_INTERRUPTED
    if sync["state"] != "done":
        raise InputError(f"{recording['name']} could not be lined up with {trail['name']}: {sync['error']}")
    is_rejected = sync["verdict"] == "reject"
    if sync["accepted"]:
        console.say(f"{recording['name']} is lined up with {trail['name']}, and its markers are written.")
    elif is_rejected:
        console.warn(
            f"{recording['name']} does not line up with {trail['name']}. {' '.join(sync['reasons'])}"
        )
    else:
        console.warn(
            f"{recording['name']} is lined up with {trail['name']}, and waits for your review on the "
            f"page ({hint('mtbsync status --open', kept)}). {' '.join(sync['reasons'])}"
        )
    console.result({"ok": not is_rejected, "sync": sync})
    return EXIT_REJECTED if is_rejected else 0


def _of_id(client: Client, run: str) -> dict[str, Any]:
    from mtbsync_daemon.client import RefusedError, quoted

    try:
        return client.get(f"/recordings/{quoted(run)}")
    except RefusedError as error:
        if error.status != _NOT_FOUND:
            raise
        raise UsageError(f"There is no file and no recording called {run}") from error


def _ended(console: Console, client: Client, sync: dict[str, Any]) -> dict[str, Any]:
    from mtbsync_daemon.client import quoted

    with console.progress("Lining up", 1.0) as done:
        while sync["state"] in ("queued", "running"):
            done(sync["progress"])
            time.sleep(_PAUSE_S)
            sync = client.get(f"/syncs/{quoted(sync['id'])}")
    return sync


def _registered(client: Client, video: Path) -> dict[str, Any]:
    """The recording that `video` belongs to, once the daemon has looked at it."""
    from mtbsync_daemon.client import RefusedError

    while True:
        try:
            found = client.ask("POST", "/recordings", {"paths": [str(video)]})["recordings"]
            return dict(found[0])
        except RefusedError as error:
            if error.status == _FORBIDDEN:
                raise InputError(with_roots(str(error), video)) from error
            if error.status != _LATER:
                raise
        time.sleep(_PAUSE_S)


def _wait_until_ready(console: Console, client: Client, trail: dict[str, Any]) -> None:
    from mtbsync_daemon.client import quoted

    with console.progress("Looking at the reference", 1.0) as done:
        while not client.get(f"/trails/{quoted(trail['id'])}")["is_ready"]:
            query = {"recording": trail["recording"], "limit": _PAGE}
            jobs = client.get("/jobs", query)["jobs"]
            job = next((job for job in jobs if job["kind"] == "index"), None)
            if job is not None and job["state"] in ("failed", "cancelled"):
                raise InputError(
                    f"{trail['name']} is a trail, but its reference could not be looked at: {job['error']}"
                )
            if job is not None and job["progress"] and job["progress"]["done"] is not None:
                done(job["progress"]["done"])
            time.sleep(_PAUSE_S)


def _trails(client: Client) -> Iterator[dict[str, Any]]:
    query = {"limit": _PAGE}
    while True:
        page = client.get("/trails", query)
        yield from page["trails"]
        if page["next_cursor"] is None:
            return
        query = {"limit": _PAGE, "cursor": page["next_cursor"]}


def _named(client: Client, name: str) -> dict[str, Any]:
    wanted = name.casefold()
    for trail in _trails(client):
        if trail["name"].casefold() == wanted:
            return trail
    raise UsageError(f"There is no trail called {name}; `mtbsync trail list` names them.")


def _document(marker: Marker) -> dict[str, Any]:
    return {
        "id": marker.marker_id,
        "name": marker.name or marker.marker_id,
        "t_s": marker.t_s,
        "duration_s": marker.duration_s,
        "colour": marker.colour,
        "comment": marker.comment,
    }
