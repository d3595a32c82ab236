"""Commands that keep an installation well, and tell what is wrong with it: doctor, bundle, prune."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import EXIT_FAILED, ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.places import Places

if TYPE_CHECKING:
    from mtbsync_daemon.prune import Pruned

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")]


@ends_well
def doctor(
    config: o.ConfigFile = None, data: o.DataFolder = None, as_json: o.AsJson = False, quiet: o.Quiet = False
) -> int:
    """Look for what is wrong, and say how to mend it."""
    from mtbsync_daemon.doctor import Level, examine

    console = Console(as_json=as_json, quiet=quiet)
    found = []
    for finding in examine(o.config_file(config), o.data_folder(data)):
        found.append(finding)
        tell = console.say if finding.level is Level.OK else console.warn
        tell(f"{finding.level:4} {finding.subject}: {finding.sentence} {finding.remedy}".rstrip())
    n_failed = sum(finding.level is Level.FAIL for finding in found)
    console.result({"ok": n_failed == 0, "findings": [asdict(finding) for finding in found]})
    return EXIT_FAILED if n_failed else 0


@ends_well
def bundle(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id, as `mtbsync status` names it.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Zip to write.", show_default="mtbsync-JOB.zip")
    ] = None,
    config: o.ConfigFile = None,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Pack what is known of a job that went wrong.

    It tells neither folders nor names nor GPS, so that it can be sent to somebody.
    """
    from mtbsync_daemon.bundle import write_bundle
    from mtbsync_engine.files import check_output

    console = Console(as_json=as_json, quiet=quiet)
    path = out or Path(f"mtbsync-{Path(job).name}.zip")
    check_output(path, ())
    members = write_bundle(Places(o.data_folder(data)), o.config_file(config), job, path)
    console.say(
        f"Written: {path}, without videos, GPS, and names of folders. Have a look before you send it."
    )
    console.result({"ok": True, "out": str(path), "members": members})
    return 0


@ends_well
def prune(
    dry_run: DryRun = False,
    config: o.ConfigFile = None,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Remove what the daemon has made and needs no more.

    The settings say how much is kept. Videos and files for editors always stay.
    """
    from mtbsync_daemon.config import load_config
    from mtbsync_daemon.prune import prune as remove
    from mtbsync_daemon.prune_media import media_to_go, prune_media
    from mtbsync_daemon.store.database import Store
    from mtbsync_daemon.store.reader import reading

    console = Console(as_json=as_json, quiet=quiet)
    places, settings = Places(o.data_folder(data)), load_config(o.config_file(config))
    with reading(places.database) as library:
        done = remove(places, library, settings.keep, dry_run=dry_run)
        media = media_to_go(places, library, settings)
    if not dry_run and media.gone:
        # The library is changed by another hand than the daemon's here, in one short step for each thing.
        with closing(Store(places.database, places.backups)) as store:
            media = prune_media(places, store, settings)
    done = replace(done, gone=done.gone + media.gone, problem=media.problem)
    _report(console, done, dry_run)
    if done.problem:
        console.warn(f"Not all could be removed from the storage: {done.problem}")
    if done.n_bytes_over:
        console.warn(
            f"What is in use takes {_size(done.n_bytes_over)} more than keep.artifacts_gb; raise that, or "
            "remove trails."
        )
    return 0


@ends_well
def prune_perf(
    keep: Annotated[int, typer.Option("--keep", min=0, help="How many of the newest to keep.")] = 200,
    dry_run: DryRun = False,
    data: o.DataFolder = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Remove all but the newest records of speed.

    These are the perf.json of each of the daemon's syncs, and its jobs' logs.
    """
    from mtbsync_daemon.prune import prune_perf as remove
    from mtbsync_daemon.store.reader import reading

    console = Console(as_json=as_json, quiet=quiet)
    places = Places(o.data_folder(data))
    with reading(places.database) as library:
        done = remove(places, library, keep, dry_run=dry_run)
    _report(console, done, dry_run)
    return 0


def _report(console: Console, done: Pruned, dry_run: bool) -> None:
    if dry_run:
        for item in done.gone:
            console.say(f"Would remove: {item.path} ({_size(item.n_bytes)}, {item.standing.value})")
    verb = "Would remove" if dry_run else "Removed"
    console.say(f"{verb} {len(done.gone)} files and folders; {_size(done.n_bytes)} freed.")
    for item in done.stuck:
        console.warn(f"{item.path} could not be removed; another program has it open.")
    console.result(
        {
            "ok": True,
            "dry_run": dry_run,
            "removed": [str(item.path) for item in done.gone],
            "stuck": [str(item.path) for item in done.stuck],
            "freed_bytes": done.n_bytes,
            "over_bytes": done.n_bytes_over,
            "problem": done.problem,
        }
    )


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
