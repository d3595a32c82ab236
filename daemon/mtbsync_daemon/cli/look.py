"""The commands that open the page for files on disk, without a library: preview, dashboard, compare-ui,
telemetry-ui."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import EXIT_USAGE, UsageError, ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.results import MARKERS, TIMEWARP

if TYPE_CHECKING:
    from mtbsync_daemon.app import Looking
    from mtbsync_daemon.on_files import Wanted

_LOOPBACK = ("127.0.0.1", "localhost")
_HERE = Path()

Root = Annotated[
    Path | None, typer.Option("--root", help="Folder with results of sync, at any depth, to show all of.")
]
Host = Annotated[str, typer.Option("--host", help="This computer's own address; there is no other.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the page, 0 for any.")]
AllowWrite = Annotated[
    bool, typer.Option("--allow-write", help="Save what you change of markers, as you change it.")
]
OpenBrowser = Annotated[
    bool | None,
    typer.Option(
        "--open-browser/--no-browser",
        " /--no-open-browser",
        help="Open the page.",
        show_default="where there is a screen",
    ),
]


def two_runs(usual_port: int) -> Callable[..., None]:
    """A command that shows a run and its reference side by side."""

    @ends_well
    def command(
        reference: Annotated[
            Path | None, typer.Option("--reference", "--ref", "-r", help="The reference run's video.")
        ] = None,
        new: Annotated[Path | None, typer.Option("--new", "-n", help="The new run's video.")] = None,
        ref_markers: Annotated[
            Path | None,
            typer.Option("--ref-markers", "--markers", "-m", help="Reference markers, in any format."),
        ] = None,
        new_markers: Annotated[
            Path | None,
            typer.Option(
                "--new-markers",
                help="The new run's markers, as sync writes them.",
                show_default="those beside the time map",
            ),
        ] = None,
        timewarp: Annotated[
            Path | None,
            typer.Option(
                "--timewarp-json", help="Time map that sync made.", show_default="the two are synced first"
            ),
        ] = None,
        root: Root = None,
        host: Host = _LOOPBACK[0],
        port: Port = usual_port,
        allow_write: AllowWrite = False,
        open_browser: OpenBrowser = None,
        as_json: o.AsJson = False,
        quiet: o.Quiet = False,
    ) -> int:
        from mtbsync_daemon.on_files import Wanted

        if root is not None and any((reference, new, ref_markers, new_markers, timewarp)):
            raise UsageError("--root shows all results below a folder; give either that or files.")
        if root is None and timewarp is None and not (reference and new):
            raise UsageError("Give the two videos with --reference and --new, or results with --root.")
        if root is None and allow_write and not (timewarp or new_markers):
            raise UsageError("Say with --new-markers which file --allow-write saves the markers in.")
        wanted = Wanted(
            root=_whole(root),
            reference=_whole(reference),
            new=_whole(new),
            ref_markers=_whole(ref_markers),
            new_markers=_whole(new_markers),
            timewarp=_whole(timewarp),
            is_saved=allow_write,
        )
        console = Console(as_json=as_json, quiet=quiet)
        return _look(console, wanted, host, port, open_browser=open_browser)

    return command


def many_runs(usual_port: int, place: str) -> Callable[..., None]:
    """A command that shows a `place` of the page, for all results below a folder."""

    @ends_well
    def command(
        root: Root = _HERE,
        host: Host = _LOOPBACK[0],
        port: Port = usual_port,
        allow_write: AllowWrite = False,
        open_browser: OpenBrowser = None,
        as_json: o.AsJson = False,
        quiet: o.Quiet = False,
    ) -> int:
        from mtbsync_daemon.on_files import Wanted

        console = Console(as_json=as_json, quiet=quiet)
        wanted = Wanted(root=_whole(root), is_saved=allow_write)
        return _look(console, wanted, host, port, open_browser=open_browser, place=place)

    return command


def _look(
    console: Console, wanted: Wanted, host: str, port: int, *, open_browser: bool | None, place: str = ""
) -> int:
    """Show what is wanted until Ctrl-C."""
    from mtbsync_daemon.app import look_at
    from mtbsync_daemon.on_files import NothingFoundError

    if host not in _LOOPBACK:
        raise UsageError(f"mtbsync serves this computer alone, so --host is {_LOOPBACK[0]} and not {host}.")

    def ready(looking: Looking) -> None:
        runs = looking.found.runs
        to = place if wanted.root else f"run/{runs[0]['new']['about']['fingerprint']}"
        url = looking.login_url(to)
        _say(console, looking, wanted, url)
        console.result({"ok": True, "url": url, "n_runs": len(runs), "read_only": not wanted.is_saved})
        if _has_screen() if open_browser is None else open_browser:
            _open(looking.login_url(to))

    try:
        look_at(wanted, port, ready)
    except NothingFoundError as error:
        console.fail(str(error))
        return EXIT_USAGE
    console.say("Stopped.")
    return 0


def _say(console: Console, looking: Looking, wanted: Wanted, url: str) -> None:
    for sentence in (*looking.found.left_out, *looking.found.away.values()):
        console.warn(sentence)
    console.say("mtbsync shows these until Ctrl-C. Its page, for as long as it runs:")
    console.say(url)
    if not wanted.is_saved:
        console.say("Nothing can be changed there; start it with --allow-write to change markers.")
    elif wanted.root:
        console.say(f"What you change of markers is saved in the {MARKERS} beside each {TIMEWARP}.")
    else:
        path, _ = next(iter(looking.found.marker_files.values()))
        console.say(f"What you change of markers is saved in {path}.")


def _open(url: str) -> None:
    # Some browsers run in the terminal, and would hold up what they are to show.
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _has_screen() -> bool:
    return sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _whole(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()
