from __future__ import annotations

import subprocess
import sys

import pytest

from mtbsync_engine.errors import ExportError
from mtbsync_integrations.formats import format_names, get_format


@pytest.mark.parametrize("name", format_names())
def test_every_format_is_found_under_its_own_name(name: str) -> None:
    found = get_format(name)
    assert name == found.NAME
    assert found.SUFFIX.startswith(".")


def test_an_unknown_format_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ExportError, match=r"no format called 'avi'; mtbsync writes csv, edl, resolve-edl"):
        get_format("avi")


def test_knowing_the_formats_loads_none_of_them() -> None:
    code = (
        "import sys, mtbsync_integrations.formats as f; f.format_names();"
        "print([m for m in ('opentimelineio', 'numpy', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
