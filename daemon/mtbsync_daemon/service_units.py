"""What each system is given so that it starts the daemon when its user logs in: texts and command lines.

Nothing here looks at this machine or changes anything, so each system's can be written and tested on all.
"""

from __future__ import annotations

import plistlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from xml.etree import ElementTree

LABEL = "org.mtbsync.daemon"
TASK = "mtbsync"
UNIT = "mtbsync.service"
_DESCRIPTION = "mtbsync: puts an editor's markers into every new run"
_TASK_XML = "http://schemas.microsoft.com/windows/2004/02/mit/task"

Command = tuple[str, ...]


@dataclass(frozen=True)
class Service:
    """A file to be written, and what is run then. `prepare` ends a service from before, and fails once none
    is left; `remove` ends this one, and fails where it did not run. `ask` succeeds where the system has
    started it, or at least knows it."""

    path: Path
    content: bytes
    prepare: tuple[Command, ...]
    install: tuple[Command, ...]
    remove: tuple[Command, ...]
    after_removal: tuple[Command, ...]
    ask: Command


@dataclass(frozen=True)
class Account:
    """Who it is for: the home folder, the name (on Windows DOMAIN\\NAME), and on POSIX the number."""

    home: PurePath
    name: str
    uid: int = 0


def program(python: PurePath, platform: str, config: PurePath, data: PurePath) -> tuple[str, ...]:
    """The command line of the daemon; on Windows by the Python that opens no window."""
    if platform == "win32":
        python = python.with_name("pythonw.exe")
    # A file in the folder that it starts in is no module.
    run = (str(python), "-P", "-m", "mtbsync_daemon", "serve")
    return (*run, "--config", str(config), "--data", str(data))


def service_for(
    platform: str, program: Sequence[str], account: Account, environment: Mapping[str, str], data: PurePath
) -> Service:
    """What `platform` (as sys.platform) wants."""
    if platform == "darwin":
        return _launchd(program, account, data)
    if platform == "win32":
        return _task(program, account, data)
    return _systemd(program, account, environment)


# --- Linux -----------------------------------------------------------------------------------------


def _systemd(program: Sequence[str], account: Account, environment: Mapping[str, str]) -> Service:
    settings = environment.get("XDG_CONFIG_HOME") or account.home / ".config"
    systemctl = ("systemctl", "--user")
    return Service(
        path=Path(settings, "systemd", "user", UNIT),
        content=systemd_unit(program).encode(),
        prepare=(),
        install=(
            (*systemctl, "daemon-reload"),
            (*systemctl, "enable", UNIT),
            (*systemctl, "restart", UNIT),
        ),
        remove=((*systemctl, "disable", "--now", UNIT),),
        after_removal=((*systemctl, "daemon-reload"),),
        ask=(*systemctl, "is-active", "--quiet", UNIT),
    )


def systemd_unit(program: Sequence[str]) -> str:
    """A user unit; see systemd.unit(5) and systemd.service(5)."""
    python, *arguments = program
    # The first word is not searched for variables.
    line = " ".join([_quoted(python), *(_quoted(word).replace("$", "$$") for word in arguments)])
    return (
        f"[Unit]\nDescription={_DESCRIPTION}\nStartLimitIntervalSec=300\nStartLimitBurst=5\n\n"
        f"[Service]\nExecStart={line}\nRestart=on-failure\nRestartSec=5\nKillMode=mixed\nTimeoutStopSec=30\n\n"
        "[Install]\nWantedBy=default.target\n"
    )


def _quoted(word: str) -> str:
    for sign, instead in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("%", "%%")):
        word = word.replace(sign, instead)
    return f'"{word}"'


# --- macOS ------------------------------------------------------------------------------------------


def _launchd(program: Sequence[str], account: Account, data: PurePath) -> Service:
    path = Path(account.home, "Library", "LaunchAgents", f"{LABEL}.plist")
    domain = f"gui/{account.uid}"
    out = ("launchctl", "bootout", f"{domain}/{LABEL}")
    return Service(
        path=path,
        content=launchd_agent(program, data / "logs" / "service.log"),
        prepare=(out,),
        install=(("launchctl", "bootstrap", domain, str(path)),),
        remove=(out,),
        after_removal=(),
        ask=("launchctl", "print", f"{domain}/{LABEL}"),
    )


def launchd_agent(program: Sequence[str], log: PurePath) -> bytes:
    """An agent's property list; see launchd.plist(5)."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(program),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "StandardOutPath": str(log),
            "StandardErrorPath": str(log),
        }
    )


# --- Windows ----------------------------------------------------------------------------------------


def _task(program: Sequence[str], account: Account, data: PurePath) -> Service:
    path = Path(data, "service.xml")
    end = ("schtasks", "/End", "/TN", TASK)
    return Service(
        path=path,
        content=windows_task(program, account.name),
        prepare=(end,),
        install=(
            ("schtasks", "/Create", "/TN", TASK, "/XML", str(path), "/F"),
            ("schtasks", "/Run", "/TN", TASK),
        ),
        remove=(end, ("schtasks", "/Delete", "/TN", TASK, "/F")),
        after_removal=(),
        ask=("schtasks", "/Query", "/TN", TASK),
    )


def windows_task(program: Sequence[str], user: str) -> bytes:
    """A task for the Task Scheduler, in UTF-16 as it wants it; it starts at `user`'s logon, runs without
    limit, and again a minute after it failed."""
    command, *arguments = program
    task = ElementTree.Element("Task", {"version": "1.2", "xmlns": _TASK_XML})

    def put(parent: ElementTree.Element, **children: str) -> ElementTree.Element:
        for name, text in children.items():
            ElementTree.SubElement(parent, name).text = text
        return parent

    def under(parent: ElementTree.Element, name: str, **attributes: str) -> ElementTree.Element:
        return ElementTree.SubElement(parent, name, attributes)

    put(under(task, "RegistrationInfo"), Description=_DESCRIPTION)
    put(under(under(task, "Triggers"), "LogonTrigger"), Enabled="true", UserId=user)
    principal = under(under(task, "Principals"), "Principal", id="Author")
    put(principal, UserId=user, LogonType="InteractiveToken", RunLevel="LeastPrivilege")
    settings = put(
        under(task, "Settings"),
        MultipleInstancesPolicy="IgnoreNew",
        DisallowStartIfOnBatteries="false",
        StopIfGoingOnBatteries="false",
        ExecutionTimeLimit="PT0S",
    )
    put(under(settings, "RestartOnFailure"), Interval="PT1M", Count="5")
    put(
        under(under(task, "Actions", Context="Author"), "Exec"),
        Command=command,
        Arguments=subprocess.list2cmdline(arguments),
    )
    return bytes(ElementTree.tostring(task, encoding="utf-16", xml_declaration=True))
