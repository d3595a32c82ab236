"""The commands that run the daemon and say how it stands: serve, status."""

from __future__ import annotations

import logging
import threading
import webbrowser
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli import runs
from mtbsync_daemon.cli.command import ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.hints import hint
from mtbsync_daemon.places import Places
from mtbsync_engine.errors import OutputError

if TYPE_CHECKING:
    import sqlite3

    from mtbsync_daemon.client import Client
    from mtbsync_daemon.config import Config

_LOG_BYTES = 2**20
_MOST_SHOWN = 5
OpenPage = Annotated[bool, typer.Option("--open", help="Open its page in the browser.")]


@ends_well
def serve(
    config: o.ConfigFile = None,
    data: o.DataFolder = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port of its page.", show_default="as in the settings"),
    ] = None,
    open_page: OpenPage = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Run the daemon, until Ctrl-C.

    It watches your folders, and does the rest by itself.
    """
    from mtbsync_daemon import app
    from mtbsync_daemon.cli.follow import Follower
    from mtbsync_daemon.client import connect
    from mtbsync_daemon.config import load_config

    console = Console(as_json=as_json, quiet=quiet)
    following: list[Follower] = []
    config_path, kept = o.config_file(config), o.data_folder(data)
    _write_first_config(console, config_path)

    def ready(url: str) -> None:
        found = load_config(config_path)
        _log_to(Places(kept).logs / "daemon.log")
        _say_what_is_watched(console, url, config_path, found, Places(kept))
        folders = [str(folder.path) for folder in found.folder]
        console.result(
            {
                "ok": True,
                "url": url,
                "config": str(config_path),
                "data": str(kept),
                "folders": folders,
            }
        )
        if not (as_json or quiet):
            following.append(Follower(console.say, kept, folders))
        if open_page:
            # It asks the daemon for a key, which cannot answer before this has returned.
            threading.Thread(target=lambda: _open(console, connect(kept)), daemon=True).start()

    app.serve(config_path, kept, port, ready)
    for follower in following:
        follower.end()
    console.say("Stopped. What was under way goes on at the next start.")
    return 0


def _write_first_config(console: Console, path: Path) -> None:
    from mtbsync_daemon.config import write_first_config

    if path.exists():
        return
    try:
        write_first_config(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); name another with --config."
        ) from error
    console.say(f"Written: {path}, for your settings.")


def _say_what_is_watched(
    console: Console, url: str, config_path: Path, config: Config, places: Places
) -> None:
    from mtbsync_daemon.store import trails
    from mtbsync_daemon.store.reader import reading

    console.say(
        f"mtbsync runs at {url}; {hint('mtbsync status --open', places.data)} opens its page, Ctrl-C ends it."
    )
    for folder in config.folder:
        console.say(f"Watched: {folder.path}")
    if not config.folder:
        console.say(
            "Nothing is watched yet. Name the folder that your footage lands in, in "
            f"{config_path}; that counts at once."
        )
    with reading(places.database) as library:
        if not library.read(trails.all_of):
            add = hint("mtbsync trail add REF.MP4 --markers markers.csv", places.data)
            console.say(f"There is no trail yet; {add} makes one.")


def _log_to(path: Path) -> None:
    """Keep what the daemon says of itself, wherever its output goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)


def _open(console: Console, client: Client) -> None:
    url = client.login_url()
    if not webbrowser.open(url):
        console.warn(f"No browser could be started; open this within a minute, once: {url}")


@ends_well
def status(
    data: o.DataFolder = None,
    open_page: OpenPage = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Say how the daemon stands.

    Whether it runs, its folders, its jobs, what waits for you and what failed.
    """
    from mtbsync_daemon.client import NotRunningError, connect

    console = Console(as_json=as_json, quiet=quiet)
    kept = o.data_folder(data)
    document: dict[str, Any] = {"ok": True, "running": False, "data": str(kept)}
    try:
        client = connect(kept)
        document |= _of_the_daemon(console, client)
        if open_page:
            _open(console, client)
        elif not as_json:
            console.say(f"Open its page within a minute, once: {client.login_url()}")
    except NotRunningError as error:
        if open_page:
            raise
        console.say(str(error))
    document |= _of_the_library(console, Places(kept))
    console.result(document)
    return 0


def _of_the_daemon(console: Console, client: Client) -> dict[str, Any]:
    health, folders = client.get("/health"), client.get("/folders")["folders"]
    console.say(f"mtbsync {health['version']} runs at {client.url}.")
    for sentence in health["reasons"]:
        console.say(sentence)
    for folder in folders:
        console.say(f"Watched: {folder['path']}" + (f" ({folder['problem']})" if folder["problem"] else ""))
    return {
        "running": True,
        "url": client.url,
        "version": health["version"],
        "reasons": health["reasons"],
        "folders": folders,
    }


def _of_the_library(console: Console, places: Places) -> dict[str, Any]:
    """What the library tells, which it does also while no daemon runs."""
    from mtbsync_daemon.store.reader import reading

    if not places.database.exists():
        return {"jobs": {}, "delivered": [], "waiting": [], "postponed": [], "failed": []}
    with reading(places.database) as library:
        found = library.read(_found)
    counts = [f"{n} {state.replace('_', ' ')}" for state, n in found["jobs"].items() if n]
    console.say(f"Jobs: {', '.join(counts)}." if counts else "There was nothing to do yet.")
    for one in found["delivered"]:
        console.say(runs.say_delivered(one))
    for one in found["waiting"]:
        console.say(runs.say_waiting(one))
    if found["waiting"]:
        assign = hint("mtbsync trail assign RUN TRAIL", places.data)
        console.say(f"Its page shows what you can do about that; {assign} names a run's trail.")
    for one in found["postponed"]:
        console.say(runs.say_postponed(one))
    for one in found["failed"]:
        console.say(runs.say_failed(one))
    return found


def _found(db: sqlite3.Connection) -> dict[str, Any]:
    from mtbsync_daemon.store import exports, jobs
    from mtbsync_daemon.store.jobs import State

    by_kind = jobs.counts(db).values()
    newest = (runs.delivered(db, one) for one in exports.newest_recordings(db, _MOST_SHOWN))
    return {
        "jobs": {state.value: sum(n.get(state.value, 0) for n in by_kind) for state in State},
        "delivered": [run for run in newest if run is not None],
        "waiting": [runs.waiting(db, job) for job in jobs.page(db, _MOST_SHOWN, state=State.NEEDS_REVIEW)],
        "postponed": [runs.failed(db, job) for job in jobs.postponed(db, _MOST_SHOWN)],
        "failed": [runs.failed(db, job) for job in jobs.page(db, _MOST_SHOWN, state=State.FAILED)],
    }
