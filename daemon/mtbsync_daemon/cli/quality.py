"""The command that shows how good many runs' syncs are: benchmark-quality."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import EXIT_FAILED, EXIT_USAGE, UsageError, ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.quality import LIMIT, PATTERN

_SHOWN = ("run", "verdict", "p90_s", "inlier_frac", "coverage", "total_s", "strict_ok")
# What the files in the folder of --out are called.
_STEM = "benchmark_quality"


@ends_well
def benchmark_quality(
    root: Annotated[Path, typer.Option("--root", help="Folder with results of sync, at any depth.")],
    pattern: Annotated[
        str, typer.Option("--pattern", help="Which results below it: a glob of folders, or of time maps.")
    ] = PATTERN,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="How many results at most, the newest.")
    ] = LIMIT,
    fields: Annotated[
        str | None,
        typer.Option(
            "--fields", help="Columns of table and CSV: run,p90_s …", show_default="a few; in CSV all"
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 when a run does not pass the strict gates.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=f"Folder for {_STEM}.html, .csv and .json.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Report to write: one file with charts and tables.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="CSV to write, a row for each run.")] = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Show how good many runs' syncs are, and what they cost.

    Each is held against the gates of `sync --strict`. Exit status 2 when there is nothing to show.
    """
    from mtbsync_daemon.quality import as_csv, collect, document, rows_of
    from mtbsync_daemon.quality_page import quality_page
    from mtbsync_daemon.results import ALL
    from mtbsync_daemon.store.ids import now
    from mtbsync_engine.files import check_output, write_text
    from mtbsync_engine.judge import STRICT_GATES

    console = Console(as_json=as_json, quiet=quiet)
    files = _files(html, csv, out)
    with console.progress("Reading", None):
        found = collect(root, pattern, limit)
    for sentence in found.left_out:
        console.warn(f"Left out: {sentence}")
    if not found.runs:
        console.fail(f"No results of `mtbsync sync` were found in {root} as {pattern}.")
        return EXIT_USAGE
    read = [root / run.folder / name for run in found.runs for name in ALL]
    for path, _ in files:
        check_output(path, read)
    rows = rows_of(found.runs, STRICT_GATES)
    chosen = _chosen(fields, rows)
    failing = [row for row in rows if not row["strict_ok"]]
    texts = {
        "html": lambda: quality_page(found, STRICT_GATES, str(root), now()),
        "csv": lambda: as_csv(rows, chosen or list(rows[0])),
        "json": lambda: json.dumps(document(found, STRICT_GATES), indent=2) + "\n",
    }
    for path, kind in files:
        write_text(path, texts[kind]())
    console.table(
        f"{len(rows)} runs, {len(rows) - len(failing)} of them pass the strict gates",
        tuple(chosen or _SHOWN),
        [tuple(_cell(row[name]) for name in chosen or _SHOWN) for row in rows],
    )
    tell = console.warn if strict else console.say
    for row in failing:
        tell(f"{row['run']} ({row['folder']}) fails: {row['fails']}")
    for path, _ in files:
        console.say(f"Written: {path}")
    is_passed = not (strict and failing)
    console.result({"ok": is_passed, **document(found, STRICT_GATES)})
    return 0 if is_passed else EXIT_FAILED


def _files(html: Path | None, csv: Path | None, out: Path | None) -> list[tuple[Path, str]]:
    """What is to be written, and what it is."""
    named = {kind: path for kind, path in (("html", html), ("csv", csv)) if path is not None}
    for kind, path in named.items():
        # Earlier these took no file; what follows them in an old script must not become one.
        if str(path).startswith("-"):
            raise UsageError(f"--{kind} takes the file to write, not '{path}'; --out takes a folder for all")
    in_folder = [] if out is None else [(out / f"{_STEM}.{kind}", kind) for kind in ("html", "csv", "json")]
    return [*((path, kind) for kind, path in named.items()), *in_folder]


def _chosen(fields: str | None, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns that `--fields` names; none where it is not given."""
    chosen = [] if fields is None else [name.strip() for name in fields.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in rows[0]]
    if unknown:
        raise UsageError(f"There is no field {' and no '.join(unknown)}; there are {', '.join(rows[0])}")
    return chosen


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else str(value)
