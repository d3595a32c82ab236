"""The demo: mtbsync watches a folder, a ride lands in it, and its markers come out by themselves.

Then it tells how far each marker is from the truth, and stays up until Ctrl-C, unless called with --once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn

from mtbsync_daemon.client import Client, connect

MTBSYNC = Path(sys.executable).with_name("mtbsync")
SAMPLE = Path(os.path.relpath(Path(__file__).resolve().parent.parent / "data" / "sample"))
OUT = Path("demo_out")
SETTINGS, DATA, RIDES, MARKERS = OUT / "mtbsync.toml", OUT / "data", OUT / "rides", OUT / "markers"
PICTURE = OUT / "sync.png"
SAYS = """\
roots = ["{sample}"]

[[folder]]
path = "{rides}"
output = "{markers}"
formats = ["csv", "resolve-edl", "edl", "fcpxml"]
settle_s = 1
"""
PIECE_BYTES = 512 * 1024
KINDS = {
    "probe": "Look what it is",
    "sync": "Find its trail and line it up",
    "transfer": "Carry the markers over",
    "deliver": "Write them for editors",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when the ride is done")
    once = parser.parse_args().once
    shutil.rmtree(OUT, ignore_errors=True)
    RIDES.mkdir(parents=True)
    folders = {"sample": SAMPLE, "rides": RIDES, "markers": MARKERS}
    text = SAYS.format(**{name: folder.absolute().as_posix() for name, folder in folders.items()})
    SETTINGS.write_text(text, encoding="utf-8")
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    explain(f"Watch {RIDES}, as {SETTINGS} says")
    serve = command("serve", "--config", SETTINGS, "--data", DATA)
    daemon = subprocess.Popen(serve, stdin=subprocess.DEVNULL)
    try:
        until(lambda: (DATA / "daemon.json").exists() or daemon.poll() is not None)
        if daemon.poll() is not None:
            return daemon.returncode
        status = show()
        if status == 0 and not once:
            print(f"\nThe page, for a minute and once: {connect(DATA).login_url()}")
            print(f"A new link: mtbsync status --data {DATA.as_posix()}")
            print("mtbsync goes on watching; Ctrl-C ends it.", flush=True)
            status = daemon.wait()
        return status
    except KeyboardInterrupt:
        return 0
    finally:
        daemon.terminate()
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            daemon.wait(30)


def show() -> int:
    """From a reference with markers to the new run's markers; the exit status."""
    status = run(
        "Make a ride with ten markers the reference of a trail",
        *("trail", "add", SAMPLE / "ref.mp4", "--name", "Sample trail"),
        *("--markers", SAMPLE / "markers.csv", "--data", DATA),
    )
    if status != 0:
        return status
    explain(f"A new ride lands in {RIDES}")
    for name in ("new.gpx", "new.mp4"):
        land(SAMPLE / name)
    daemon = connect(DATA)
    failed = follow(daemon)
    if failed is not None:
        print(f"That did not work: {failed}", file=sys.stderr)
        return 1
    sync = daemon.get("/syncs")["syncs"][0]
    (results,) = (DATA / "artifacts" / "syncs").glob("*/*")
    explain("Done. " + " ".join(sync["reasons"]))
    status = run("Draw how well the two rides line up", "plot", results, "--out", PICTURE) or run(
        "Compare with the truth, which is known because both rides were rendered",
        *("evaluate", "--timewarp-json", results / "timewarp.json"),
        *("--truth", SAMPLE / "truth_map.csv", "--markers", MARKERS / "new_csv.csv"),
    )
    print("Written for editors:")
    for path in sorted(MARKERS.iterdir()):
        print(f"  {path}")
    print(f"The picture: {PICTURE}", flush=True)
    return status


def land(source: Path) -> None:
    """Copy a file in pieces, as a card reader would."""
    with source.open("rb") as read, (RIDES / source.name).open("wb") as write:
        while piece := read.read(PIECE_BYTES):
            write.write(piece)
            write.flush()
            time.sleep(0.1)


def follow(daemon: Client) -> str | None:
    """Show each job as it goes, until the last has ended; the sentence of one that failed."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
    with Progress(*columns) as bars:
        rows = {kind: bars.add_task(title, total=1, state="") for kind, title in KINDS.items()}
        while True:
            jobs = {job["kind"]: job for job in daemon.get("/jobs")["jobs"] if job["kind"] in KINDS}
            for kind, job in jobs.items():
                ended = job["state"] not in ("queued", "running")
                done = 1 if ended else ((job["progress"] or {}).get("done") or 0)
                bars.update(rows[kind], completed=done, state=job["state"])
                if job["state"] in ("failed", "cancelled", "needs_review"):
                    return job["error"] or "it waits for a person"
            if jobs.get("deliver", {}).get("state") == "done":
                return None
            time.sleep(0.1)


def run(purpose: str, *words: object) -> int:
    """Say what a command is for, show it and run it."""
    explain(purpose)
    return subprocess.run(command(*words), check=False).returncode


def command(*words: object) -> list[str]:
    """A command line of mtbsync's, shown as it is run."""
    line = [w.as_posix() if isinstance(w, Path) else str(w) for w in words]
    print("$ mtbsync " + " ".join(f'"{w}"' if " " in w else w for w in line), flush=True)
    return [str(MTBSYNC), *line]


def explain(purpose: str) -> None:
    print(f"\n# {purpose}", flush=True)


def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
