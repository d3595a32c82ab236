"""Make .venv with this project and the versions it was tested with. Standard library only."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
WANTED = ["--constraint", str(ROOT / "constraints.txt"), "--editable", f"{ROOT}[dev]"]


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older Python is told so
        print(f"mtbsync needs Python 3.11 or later; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    if not PYTHON.exists():
        venv.create(VENV, with_pip=True)
    uv = shutil.which("uv")
    installer = (
        [uv, "pip", "install", "--python", str(PYTHON)] if uv else [str(PYTHON), "-m", "pip", "install"]
    )
    result = subprocess.run([*installer, "--quiet", *WANTED], check=False)
    if result.returncode == 0:
        (VENV / "ready").touch()
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
