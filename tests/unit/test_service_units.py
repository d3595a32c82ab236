"""What each system is given to start the daemon at login, and that it is quoted as that system reads it."""

from __future__ import annotations

import plistlib
import shutil
import stat
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.etree import ElementTree

import pytest
from filelock import FileLock

from mtbsync_daemon.service_units import (
    Account,
    launchd_agent,
    program,
    service_for,
    systemd_unit,
    windows_task,
)
from support.program import Outcome, mtbsync

AWKWARD = 'a b&c%d$e"f\\g'
ACCOUNT = Account(PurePosixPath("/h/ann"), "ann", 501)
PLAIN = ("/usr/bin/python3", "-P", "-m", "mtbsync_daemon", "serve")
NAMESPACE = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}


def test_every_system_starts_serve_with_these_settings_and_this_folder() -> None:
    found = program(PurePosixPath("/v/bin/python"), "linux", PurePosixPath("/c/m.toml"), PurePosixPath("/d"))
    assert found == (
        *("/v/bin/python", "-P", "-m", "mtbsync_daemon", "serve"),
        *("--config", "/c/m.toml", "--data", "/d"),
    )


def test_windows_is_given_the_python_that_opens_no_window() -> None:
    python = PureWindowsPath(r"C:\v\Scripts\python.exe")
    found = program(python, "win32", PureWindowsPath(r"C:\m.toml"), PureWindowsPath(r"C:\d"))
    assert found[0] == r"C:\v\Scripts\pythonw.exe"


# --- Linux -----------------------------------------------------------------------------------------


def test_the_systemd_unit_word_for_word() -> None:
    assert systemd_unit([*PLAIN, "--data", "/d"]) == (
        "[Unit]\n"
        "Description=mtbsync: puts an editor's markers into every new run\n"
        "StartLimitIntervalSec=300\n"
        "StartLimitBurst=5\n"
        "\n"
        "[Service]\n"
        'ExecStart="/usr/bin/python3" "-P" "-m" "mtbsync_daemon" "serve" "--data" "/d"\n'
        "Restart=on-failure\n"
        "RestartSec=5\n"
        "KillMode=mixed\n"
        "TimeoutStopSec=30\n"
        "\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )


def test_systemd_s_own_signs_are_quoted() -> None:
    line = next(line for line in systemd_unit(["/p y", AWKWARD]).splitlines() if line.startswith("ExecStart"))
    assert line == r'ExecStart="/p y" "a b&c%%d$$e\"f\\g"'


def test_no_name_can_add_a_line_to_the_unit() -> None:
    assert systemd_unit(["/p", "a\nExecStartPre=x"]).count("\n") == systemd_unit(["/p", "a"]).count("\n")


def test_a_dollar_in_the_program_s_own_path_stays_single() -> None:
    assert 'ExecStart="/p$y" "a$$b"\n' in systemd_unit(["/p$y", "a$b"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    folder = tmp_path / "with space & 100%"
    folder.mkdir()
    python = folder / "py thon"
    python.symlink_to(sys.executable)
    unit = tmp_path / "mtbsync.service"
    unit.write_text(systemd_unit([str(python), "-P", AWKWARD]), encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, "mtbsync.service" in done.stderr) == (0, False), done.stderr
    unit.write_text(systemd_unit([str(folder / "nothing")]), encoding="utf-8")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_what_is_run_on_linux() -> None:
    service = service_for("linux", PLAIN, ACCOUNT, {}, PurePosixPath("/d"))
    assert service.path.as_posix() == "/h/ann/.config/systemd/user/mtbsync.service"
    assert [" ".join(command) for command in service.install] == [
        "systemctl --user daemon-reload",
        "systemctl --user enable mtbsync.service",
        "systemctl --user restart mtbsync.service",
    ]
    assert [" ".join(command) for command in (*service.remove, *service.after_removal)] == [
        "systemctl --user disable --now mtbsync.service",
        "systemctl --user daemon-reload",
    ]


def test_linux_heeds_where_settings_are_kept() -> None:
    service = service_for("linux", PLAIN, ACCOUNT, {"XDG_CONFIG_HOME": "/x"}, PurePosixPath("/d"))
    assert service.path.as_posix() == "/x/systemd/user/mtbsync.service"


# --- macOS -----------------------------------------------------------------------------------------


def test_the_launchd_agent_restarts_on_failure_only_and_takes_any_path() -> None:
    agent = plistlib.loads(launchd_agent([*PLAIN, AWKWARD], PurePosixPath("/d/l.log")))
    assert agent == {
        "Label": "org.mtbsync.daemon",
        "ProgramArguments": [*PLAIN, AWKWARD],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "StandardOutPath": "/d/l.log",
        "StandardErrorPath": "/d/l.log",
    }


def test_what_is_run_on_macos() -> None:
    service = service_for("darwin", PLAIN, ACCOUNT, {}, PurePosixPath("/d"))
    assert service.path.as_posix() == "/h/ann/Library/LaunchAgents/org.mtbsync.daemon.plist"
    assert service.prepare == service.remove == (("launchctl", "bootout", "gui/501/org.mtbsync.daemon"),)
    assert service.install == (("launchctl", "bootstrap", "gui/501", str(service.path)),)


# --- Windows ----------------------------------------------------------------------------------------


def _task(*words: str) -> ElementTree.Element:
    return ElementTree.fromstring(windows_task(words, r"PC\ann & co"))


def _text(task: ElementTree.Element, path: str) -> str | None:
    found = task.find("/".join(f"t:{part}" for part in path.split("/")), NAMESPACE)
    assert found is not None, path
    return found.text


def test_the_task_is_utf_16_as_the_task_scheduler_wants_it() -> None:
    content = windows_task(PLAIN, "ann")
    assert content.startswith((b"\xff\xfe", b"\xfe\xff"))
    assert "encoding='utf-16'" in content.decode("utf-16")


def test_the_task_starts_at_this_user_s_logon_and_again_after_a_failure() -> None:
    task = _task(*PLAIN)
    assert task.tag == f"{{{NAMESPACE['t']}}}Task"
    assert task.get("version") == "1.2"
    assert _text(task, "Triggers/LogonTrigger/UserId") == r"PC\ann & co"
    assert _text(task, "Principals/Principal/UserId") == r"PC\ann & co"
    assert _text(task, "Principals/Principal/RunLevel") == "LeastPrivilege"
    assert _text(task, "Settings/ExecutionTimeLimit") == "PT0S"
    assert _text(task, "Settings/RestartOnFailure/Interval") == "PT1M"
    assert _text(task, "Settings/StopIfGoingOnBatteries") == "false"


def test_a_task_s_arguments_are_quoted_as_windows_reads_them() -> None:
    task = _task(r"C:\p y\pythonw.exe", "-m", r"C:\a b\c & 100%", 'say "x"')
    assert _text(task, "Actions/Exec/Command") == r"C:\p y\pythonw.exe"
    assert _text(task, "Actions/Exec/Arguments") == r'-m "C:\a b\c & 100%" "say \"x\""'


def test_what_is_run_on_windows() -> None:
    service = service_for("win32", PLAIN, ACCOUNT, {}, PurePosixPath("/d"))
    assert service.path.as_posix() == "/d/service.xml"
    create = ("schtasks", "/Create", "/TN", "mtbsync", "/XML", str(service.path), "/F")
    assert service.install == (create, ("schtasks", "/Run", "/TN", "mtbsync"))
    assert service.remove[-1] == ("schtasks", "/Delete", "/TN", "mtbsync", "/F")


# --- the command, with a systemctl that notes what it was asked ------------------------------------

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="systemd")


class Systemd:
    """A systemctl that does nothing but note how it was called, and where things would lie."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unit = folder / "config" / "systemd" / "user" / "mtbsync.service"
        self.tell("")

    def tell(self, error: str) -> None:
        """Have it fail with `error` from now on, or not at all where that is empty."""
        script = self.folder / "bin" / "systemctl"
        script.parent.mkdir(exist_ok=True)
        fails = f"echo '{error}' >&2; exit 1\n" if error else ""
        script.write_text(f'#!/bin/sh\necho "$@" >> "{self.folder}/asked"\n{fails}', encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    @property
    def asked(self) -> list[str]:
        """Every command line, in order."""
        path = self.folder / "asked"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def service(self, word: str, *options: object) -> Outcome:
        """Run `mtbsync service WORD`."""
        return mtbsync("service", word, "--data", self.folder / "my data", *options)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    found = Systemd(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return found


@linux_only
def test_installed_asked_for_and_removed_again(systemd: Systemd) -> None:
    assert "mtbsync service install" in systemd.service("status").out
    installed = systemd.service("install", "--json")
    assert installed.status == 0, installed.err
    assert installed.document["file"] == str(systemd.unit)
    assert f'"--data" "{systemd.folder / "my data"}"' in systemd.unit.read_text(encoding="utf-8")
    assert [line.split()[1] for line in systemd.asked] == ["daemon-reload", "enable", "restart"]
    told = systemd.service("status", "--json").document
    assert (told["installed"], told["current"], told["active"]) == (True, True, True)
    removed = systemd.service("uninstall", "--json")
    assert removed.document["removed"] is True
    assert not systemd.unit.exists()
    assert [line.split()[1] for line in systemd.asked[-2:]] == ["disable", "daemon-reload"]
    assert systemd.service("uninstall", "--json").document["removed"] is False


@linux_only
def test_a_service_for_other_folders_is_told_from_this_one(systemd: Systemd) -> None:
    assert systemd.service("install").status == 0
    other = mtbsync("service", "status", "--data", systemd.folder / "other", "--json").document
    assert (other["installed"], other["current"]) == (True, False)


@linux_only
def test_a_daemon_that_somebody_started_is_to_be_ended_first(systemd: Systemd) -> None:
    (systemd.folder / "my data").mkdir()
    with FileLock(systemd.folder / "my data" / "daemon.lock"):
        refused = systemd.service("install")
        assert (refused.status, "runs already" in refused.err) == (1, True)
        assert not systemd.unit.exists()
    assert systemd.service("install").status == 0
    with FileLock(systemd.folder / "my data" / "daemon.lock"):
        # Now it is the service's own.
        assert systemd.service("install").status == 0


@linux_only
def test_without_a_systemd_session_a_sentence_says_what_else_to_do(systemd: Systemd) -> None:
    systemd.tell("Failed to connect to bus: No medium found")
    refused = systemd.service("install")
    assert refused.status == 1
    assert "systemd does not run for this user here" in refused.err
    assert "`mtbsync serve`" in refused.err
    assert not systemd.unit.exists()
    assert systemd.service("status", "--json").document["installed"] is False


@linux_only
def test_a_service_that_was_there_stays_where_it_cannot_be_installed_again(systemd: Systemd) -> None:
    assert systemd.service("install").status == 0
    systemd.tell("Failed to connect to bus: No medium found")
    assert systemd.service("install").status == 1
    assert systemd.unit.exists()


@linux_only
def test_any_other_refusal_is_told_as_the_system_says_it(systemd: Systemd) -> None:
    systemd.tell("Unit is masked.")
    assert "did not work: Unit is masked." in systemd.service("install").err


@linux_only
def test_without_systemd_a_sentence_says_what_else_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    refused = mtbsync("service", "install", "--data", tmp_path / "data")
    assert refused.status == 1
    assert "there is no systemctl here" in refused.err
