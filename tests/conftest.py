"""What several files of tests share: rides made once for all of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.program import mtbsync
from support.rides import Rides, make_rides

# How long an example takes, or takes to be made up, says how busy the computer is.
settings.register_profile("mtbsync", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mtbsync")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are processors: a quarter of the time tests wait for daemons and browsers."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def rides(tmp_path_factory: pytest.TempPathFactory) -> Rides:
    """Two rides of one trail and one of another."""
    return make_rides(tmp_path_factory.mktemp("rides"))


@pytest.fixture(scope="session")
def synced(rides: Rides, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `sync` wrote to for the two rides, with markers and without GPS. Not to be changed."""
    out = tmp_path_factory.mktemp("synced") / "out"
    outcome = mtbsync("sync", "-r", rides.ref, "-n", rides.new, "-m", rides.markers, "-o", out)
    assert outcome.status == 0, outcome.err
    return out
