"""A Dask cluster of real processes on this computer."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import SystemRandom

from support.daemons import PATIENCE_S

_TESTS = Path(__file__).parents[1]


def start_scheduler(address: str, folder: Path, *, allowed_failures: int = 3) -> subprocess.Popen[bytes]:
    """The scheduler, which gives a task up after so many workers died of it."""
    variables = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(allowed_failures)}
    host, port = address.removeprefix("tcp://").split(":")
    return _start("scheduler", folder, "--host", host, "--port", port, **variables)


def start_worker(address: str, folder: Path) -> subprocess.Popen[bytes]:
    """A worker with one thread."""
    return _start(
        "worker", folder, address, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)
    )


def wait_for_workers(address: str, n_workers: int) -> None:
    """Wait until so many have come to the scheduler."""
    from distributed import Client  # noqa: PLC0415 - it is an extra

    async def wait() -> None:
        async with Client(address, asynchronous=True, set_as_default=False, timeout=PATIENCE_S) as client:
            await client.wait_for_workers(n_workers, timeout=PATIENCE_S)

    asyncio.run(wait())


def free_address() -> str:
    """Where nobody listens yet. Whoever takes any port gets one from 32768 on, so that none of those would be
    sure to be free still when the scheduler begins."""
    for port in SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return f"tcp://127.0.0.1:{port}"
    raise AssertionError("no port is free")


@contextmanager
def ending(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the processes after the block."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _start(program: str, folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{program}", "--no-dashboard", *arguments]
    environment = os.environ | {"PYTHONPATH": str(_TESTS)} | variables
    with (folder / "dask.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
