"""Commands that have the system start the daemon at login: service install, uninstall, status."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import time
from pathlib import Path

import typer

from mtbsync_daemon import service_units
from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.hints import hint
from mtbsync_daemon.places import Places
from mtbsync_daemon.service_units import Command, Service
from mtbsync_engine.errors import InputError, OutputError

app = typer.Typer(help="Have the daemon start by itself when you log in.")

_TRIES, _PAUSE_S = 10, 0.3
_NO_SESSION = (
    "systemd does not run for this user here, so it cannot start mtbsync; log in on the machine itself, "
    "or have `mtbsync serve` started by whatever starts programs there."
)


@app.command("install")
@ends_well
def install(
    config: o.ConfigFile = None, data: o.DataFolder = None, as_json: o.AsJson = False, quiet: o.Quiet = False
) -> int:
    """Start the daemon now, and whenever you log in."""
    console = Console(as_json=as_json, quiet=quiet)
    service, places = _service(config, data), Places(o.data_folder(data))
    _check_free(service, places)
    was_there = service.path.exists()
    _write(service, places.logs)
    for command in service.prepare:
        _run_until_it_fails(command)
    try:
        for command in service.install:
            _run_well(command)
    except OutputError:
        if not was_there:
            _take_out(service)
        raise
    console.say(
        f"mtbsync runs now, and whenever you log in ({service.path}). "
        f"{hint('mtbsync status', places.data)} says how it stands."
    )
    if sys.platform == "linux":
        console.say("To have it run without a login as well: `loginctl enable-linger`.")
    console.result({"ok": True, "file": str(service.path)})
    return 0


@app.command("uninstall")
@ends_well
def uninstall(
    config: o.ConfigFile = None, data: o.DataFolder = None, as_json: o.AsJson = False, quiet: o.Quiet = False
) -> int:
    """Stop the daemon, and start it no more.

    All that it keeps stays.
    """
    console = Console(as_json=as_json, quiet=quiet)
    service = _service(config, data)
    was_there = service.path.exists()
    if was_there:
        _take_out(service)
    console.say("mtbsync does not start by itself any more." if was_there else "Nothing was installed.")
    console.result({"ok": True, "file": str(service.path), "removed": was_there})
    return 0


@app.command("status")
@ends_well
def status(
    config: o.ConfigFile = None, data: o.DataFolder = None, as_json: o.AsJson = False, quiet: o.Quiet = False
) -> int:
    """Say whether the daemon starts by itself.

    And whether the system has started it.
    """
    console = Console(as_json=as_json, quiet=quiet)
    service = _service(config, data)
    is_there = service.path.exists()
    is_current = is_there and service.path.read_bytes() == service.content
    is_known = is_there and _run(service.ask) == ""
    if not is_there:
        console.say("mtbsync does not start by itself; `mtbsync service install` changes that.")
    elif not is_current:
        console.say(
            f"{service.path} is of another version or for other folders; run `mtbsync service install` again."
        )
    elif not is_known:
        console.say(f"{service.path} is there, but the system does not run it; `mtbsync doctor` may say why.")
    else:
        console.say(f"mtbsync starts by itself, and the system has started it ({service.path}).")
    console.result(
        {
            "ok": True,
            "file": str(service.path),
            "installed": is_there,
            "current": is_current,
            "active": is_known,
        }
    )
    return 0


def _service(config: Path | None, data: Path | None) -> Service:
    kept = o.data_folder(data)
    command = service_units.program(Path(sys.executable), sys.platform, o.config_file(config), kept)
    name, uid = getpass.getuser(), 0
    if sys.platform == "win32":
        name = f"{os.environ.get('USERDOMAIN', '.')}\\{name}"
    else:
        uid = os.getuid()
    account = service_units.Account(Path.home(), name, uid)
    return service_units.service_for(sys.platform, command, account, os.environ, kept)


def _write(service: Service, logs: Path) -> None:
    from mtbsync_engine.files import replacing

    with replacing(service.path) as temporary:
        temporary.write_bytes(service.content)
    try:
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{logs} cannot be made: {error.strerror}.") from error


def _take_out(service: Service) -> None:
    for command in service.remove:
        _run(command)
    try:
        service.path.unlink()
    except OSError as error:
        raise OutputError(f"{service.path} cannot be removed: {error.strerror}.") from error
    for command in service.after_removal:
        _run(command)


def _check_free(service: Service, places: Places) -> None:
    from mtbsync_daemon.doctor import is_held

    if is_held(places.lock) and not (service.path.exists() and _run(service.ask) == ""):
        raise InputError(
            f"mtbsync runs already with {places.data}; end that (Ctrl-C where `mtbsync serve` runs), and "
            "install the service then."
        )


def _run_until_it_fails(command: Command) -> None:
    """End what may be running: only when there is nothing left to end, all of it has ended."""
    for _ in range(_TRIES):
        if _run(command):
            return
        time.sleep(_PAUSE_S)


def _run_well(command: Command) -> None:
    """Run a command that has to work."""
    if said := _run(command):
        raise OutputError(f"`{' '.join(command)}` did not work: {said}")


def _run(command: Command) -> str:
    """What a command said on failing, as a sentence; empty where it did what it should."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        return f"there is no {command[0]} here; have `mtbsync serve` started by whatever starts programs."
    if done.returncode == 0:
        return ""
    said = " ".join((done.stderr or done.stdout).split())
    if command[0] == "systemctl" and ("connect to" in said or "bus" in said):
        return _NO_SESSION
    return f"{said.rstrip('.') or f'exit status {done.returncode}'}."
