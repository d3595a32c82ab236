"""Measure the parts named, or all, and write docs/benchmarks.md from all that was ever measured here."""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial

import psutil
from scripts.bench import ROOT, peer
from scripts.bench.page import PARTS, render
from scripts.bench.results import Result, load, path_of, save

_PAGE = ROOT / "docs" / "benchmarks.md"
_ONLY_WRITE = "page"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"any of: {', '.join(PARTS)}; {_ONLY_WRITE} measures nothing"
    )
    parser.add_argument(
        "--kept", action="store_true", help="of the peer, which takes an hour, only what it did here before"
    )
    arguments = parser.parse_args()
    wanted = arguments.parts or list(PARTS)
    if unknown := set(wanted) - {*PARTS, _ONLY_WRITE}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    for part in PARTS:
        if part in wanted:
            _measure(
                part,
                partial(peer.run, kept_only=True) if part == "peer" and arguments.kept else PARTS[part].run,
            )
    kept = {part: result for part in PARTS if (result := load(path_of(part))) is not None}
    _PAGE.write_text(render(kept), encoding="utf-8", newline="\n")
    print(f"Written: {_PAGE.relative_to(ROOT)}")


def _measure(part: str, run: Callable[[], Result]) -> None:
    began = time.perf_counter()
    result = run()
    system = f"{psutil.cpu_count()} cores, {platform.system()} {platform.machine()}"
    machine = f"{system}, Python {platform.python_version()}"
    save(path_of(part), {**result, "machine": machine, "took_s": time.perf_counter() - began})


if __name__ == "__main__":
    main()
