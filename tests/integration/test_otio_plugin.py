"""The OpenTimelineIO plug-in as people get it: from the wheel, by OpenTimelineIO's own programs."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from mtbsync_engine.errors import TimecodeError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import export, format_names, get_format
from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.otio import adapter
from support.timelines import on_frames, rich

ROOT = Path(__file__).parents[2]
START = Timecode.parse("01:00:00:00", Rate(Fraction(30000, 1001)))


class CleanEnvironment:
    """A virtual environment with nothing but the wheel; the libraries it depends on are lent to it."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        scripts = "Scripts" if sys.platform == "win32" else "bin"
        self.python = folder / "venv" / scripts / Path(sys.executable).name
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
        subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
        (wheel,) = folder.glob("*.whl")
        install = [
            "-m",
            "pip",
            "--python",
            self.python,
            "install",
            "--no-deps",
            "--no-index",
            "--quiet",
            wheel,
        ]
        subprocess.run([sys.executable, *install], capture_output=True, check=True)
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = subprocess.run(
            [self.python, "-c", where], capture_output=True, encoding="utf-8", check=True
        )
        lent = Path(packages.stdout.strip()) / "lent.pth"
        lent.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.python, "-m", *map(str, command)], capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    return CleanEnvironment(tmp_path_factory.mktemp("clean"))


def test_the_plugin_comes_from_the_wheel_and_knows_every_format(clean: CleanEnvironment) -> None:
    code = clean.python.with_name("ask.py")
    code.write_text(
        "import json, mtbsync_integrations, opentimelineio as otio\n"
        "print(json.dumps([mtbsync_integrations.__file__, otio.adapters.available_adapter_names()]))\n",
        encoding="utf-8",
    )
    done = subprocess.run([clean.python, code], capture_output=True, encoding="utf-8", check=True)
    where, names = json.loads(done.stdout)
    assert Path(where).is_relative_to(clean.python.parents[1])
    assert {f"mtbsync_{name.replace('-', '_')}" for name in format_names()} < set(names)
    assert "could not load plugin" not in done.stderr


# Each takes seconds, as OpenTimelineIO's programs are started four times.
_TELLING = {"edl", "fcpxml"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in _TELLING else pytest.mark.long) for n in format_names()]
)
def test_opentimelineios_own_programs_read_and_write_every_format(
    name: str, clean: CleanEnvironment, tmp_path: Path
) -> None:
    adapter, suffix = f"mtbsync_{name.replace('-', '_')}", get_format(name).SUFFIX
    source, middle, back = tmp_path / "in.otio", tmp_path / f"out{suffix}", tmp_path / "back.otio"
    source.write_text(export("otio", rich(START)).files[0][1], encoding="utf-8")
    clean.run("opentimelineio.console.otioconvert", "-i", source, "-o", middle, "-O", adapter)
    counting = ["-a", "rate=29.97", "-a", f"start={START}"]
    clean.run("opentimelineio.console.otioconvert", "-i", middle, "-I", adapter, "-o", back, *counting)
    fit, _ = fitted(get_format("otio").read(source).timeline, get_format(name).CARRIES)
    found = get_format("otio").read(back).timeline
    assert replace(found, name="") == replace(fit, name="")
    printed = json.loads(clean.run("opentimelineio.console.otiocat", back).stdout)
    assert printed["OTIO_SCHEMA"] == "Timeline.1"
    assert "number of tracks" in clean.run("opentimelineio.console.otiostat", back).stdout


def test_an_export_of_several_files_is_written_beside_the_first(
    clean: CleanEnvironment, tmp_path: Path
) -> None:
    source = tmp_path / "in.otio"
    source.write_text(export("otio", on_frames(START, list(range(1000)))).files[0][1], encoding="utf-8")
    done = clean.run(
        "opentimelineio.console.otioconvert",
        *("-i", source, "-o", tmp_path / "out.edl", "-O", "mtbsync_resolve_edl"),
    )
    assert {path.name for path in tmp_path.glob("*.edl")} == {"out.edl", "out_2.edl"}
    assert "these take 2; import each of them" in done.stderr


def test_a_start_without_a_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimecodeError, match="give their `rate` with it"):
        adapter.read_from_file(str(tmp_path / "any.edl"), start="01:00:00:00")
    with pytest.raises(TimecodeError, match="give their `rate` with it"):
        adapter.write_to_string(otio.schema.Timeline("any"), start="01:00:00:00")
