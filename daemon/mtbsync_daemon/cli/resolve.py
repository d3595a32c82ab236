"""Commands for DaVinci Resolve's own menu: resolve install, uninstall, status, lua."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import UsageError, ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.cli.deliver import TimelineFps
from mtbsync_daemon.noted import NotedRun, noted_run

if TYPE_CHECKING:
    from mtbsync_integrations.resolve.install import Status

app = typer.Typer(help="Put mtbsync into DaVinci Resolve's menu.")

Folder = Annotated[
    Path | None, typer.Option("--folder", help="Resolve's Scripts folder.", show_default="found by itself")
]


@app.command("install")
@ends_well
def install(folder: Folder = None, as_json: o.AsJson = False, quiet: o.Quiet = False) -> int:
    """Put the actions into Workspace > Scripts; Resolve shows them after a restart."""
    from mtbsync_integrations.resolve import install as menu

    console = Console(as_json=as_json, quiet=quiet)
    status = menu.install(folder or menu.find_scripts())
    console.say(f"Installed in {status.folder}. Restart Resolve, and find them in Workspace > Scripts.")
    console.say(
        "They ask the daemon: `mtbsync serve` runs it, `mtbsync service install` whenever you log in."
    )
    console.result({"ok": True, **_document(status)})
    return 0


@app.command("uninstall")
@ends_well
def uninstall(folder: Folder = None, as_json: o.AsJson = False, quiet: o.Quiet = False) -> int:
    """Take mtbsync's files, and no others, out of the menu."""
    from mtbsync_integrations.resolve import install as menu

    console = Console(as_json=as_json, quiet=quiet)
    scripts = folder or menu.find_scripts()
    removed = menu.uninstall(scripts)
    console.say(f"Removed {len(removed)} files from {menu.menu_folder(scripts)}.")
    console.result({"ok": True, "folder": str(menu.menu_folder(scripts)), "removed": list(removed)})
    return 0


@app.command("status")
@ends_well
def status(folder: Folder = None, as_json: o.AsJson = False, quiet: o.Quiet = False) -> int:
    """Say whether the actions are in the menu, and whether they are those of this version."""
    from mtbsync_integrations.resolve import install as menu

    console = Console(as_json=as_json, quiet=quiet)
    found = menu.installed(folder or menu.find_scripts())
    if found.is_installed:
        console.say(f"Installed in {found.folder}.")
    elif found.current or found.outdated:
        console.say(f"Of another version in {found.folder}; run `mtbsync resolve install` again.")
    else:
        console.say(f"Not installed; `mtbsync resolve install` puts the actions into {found.folder}.")
    console.result({"ok": True, **_document(found)})
    return 0


@app.command("lua")
@ends_well
def lua(
    markers: Annotated[Path, typer.Argument(metavar="NEW_MARKERS.csv", help="As `sync` wrote them.")],
    folder: Folder = None,
    fps: TimelineFps = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Put the markers into the menu as a Lua script, for editions of Resolve without Python."""
    from mtbsync_daemon.results import TIMEWARP
    from mtbsync_engine.timing import Rate, Timecode
    from mtbsync_integrations.build import Footage, run_timeline
    from mtbsync_integrations.formats.marker_csv import read_transferred
    from mtbsync_integrations.resolve import install as menu
    from mtbsync_integrations.resolve import lua as script

    console = Console(as_json=as_json, quiet=quiet)
    new_run = noted_run(markers.with_name(TIMEWARP), "new")
    if fps is not None:
        rate = Rate.parse(fps)
    elif new_run is not None:
        rate = new_run.rate
    else:
        raise UsageError(f"Say the timeline's frame rate with --fps; nothing beside {markers} tells it.")
    placed = read_transferred(markers)
    footage = new_run.footage() if new_run else Footage.of_markers(markers.stem, placed, rate, "")
    run = script.Run(Path(footage.name).stem, _identity(markers, new_run))
    scripts = folder or menu.find_scripts()
    title = script.free_title(menu.menu_folder(scripts), run)
    text, losses = script.push_script(run_timeline(footage, placed, Timecode(0, rate)), run, title)
    files = menu.add_scripts(scripts, {title: text, script.REMOVE_TITLE: script.remove_script()})
    for path in files:
        console.say(f"Written: {path}")
    for loss in losses:
        console.warn(loss)
    console.result({"ok": True, "files": [str(path) for path in files], "losses": list(losses)})
    return 0


def _identity(markers: Path, new_run: NotedRun | None) -> str:
    """What tells the recording from others of its name: its content where `sync` noted that, else where its
    file or its markers lie."""
    from mtbsync_daemon.results import TIMEWARP

    if new_run is None:
        return str(markers.absolute())
    noted = json.loads(markers.with_name(TIMEWARP).read_text(encoding="utf-8"))["new"]
    return str(noted.get("fingerprint") or new_run.path.absolute())


def _document(status: Status) -> dict[str, object]:
    return {
        "folder": str(status.folder),
        "installed": status.is_installed,
        "current": list(status.current),
        "outdated": list(status.outdated),
        "missing": list(status.missing),
    }
