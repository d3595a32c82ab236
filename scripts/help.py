"""List the Makefile's targets with what each is for."""

from __future__ import annotations

import re
from pathlib import Path

MAKEFILE = Path(__file__).resolve().parent.parent / "Makefile"

for target, purpose in re.findall(r"^([a-z]+):.*?## (.+)$", MAKEFILE.read_text(), re.MULTILINE):
    print(f"make {target:<7} {purpose}")
