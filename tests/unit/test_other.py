"""What telemetry-parser returns, in the forms that it has, becomes motion and fixes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtbsync_engine.telemetry.other import fixes_from_blocks, motion_from_imu, read_other


def sample(time_ms: float, gyro: object = (0.0, 0.0, 90.0), accl: object = (0.0, 0.0, 9.8)) -> dict[str, Any]:
    return {"timestamp_ms": time_ms, "gyro": gyro, "accl": accl, "magn": None}


def test_turning_rates_are_degrees_a_second() -> None:
    motion = motion_from_imu([sample(5.0 * k) for k in range(400)])
    assert motion is not None
    np.testing.assert_allclose(motion.turn_radps, np.pi / 2)
    assert 0 <= motion.t_s[0] < motion.t_s[-1] < 2


def test_samples_that_are_incomplete_out_of_order_or_no_numbers_are_passed_over() -> None:
    odd = [sample(10, gyro=None), sample(11, accl=None), sample(-1), sample(12, gyro=(np.nan, 0, 0))]
    motion = motion_from_imu([sample(0), *odd, sample(1000)])
    assert motion is not None
    np.testing.assert_allclose(motion.t_s, [0, 1])
    for nothing in ([], odd[:2], [sample(0, gyro=(np.inf, 0, 0))]):
        assert motion_from_imu(nothing) is None


def fix(posix_s: float, lat: float = 46.0, **other: object) -> dict[str, Any]:
    return {"unix_timestamp": posix_s, "lat": lat, "lon": 8.0, "altitude": 500.0, "speed": 18.0, **other}


def test_positions_with_dates_become_fixes() -> None:
    blocks = [
        {"Default": {"Name": "x"}},
        {"GPS": {"Data": [fix(1002.0), fix(1000.0, is_acquired=False)]}},
        {"GPS": {"Data": [fix(1001.0), fix(1001.0, 47.0)]}},
    ]
    fixes = fixes_from_blocks(blocks)
    assert fixes is not None
    assert fixes.t_s.tolist() == [1000, 1001, 1002]
    assert fixes.lat_deg.tolist() == [46, 46, 46]
    assert fixes.accuracy_m.tolist() == [np.inf, 3, 3]
    assert fixes.speed_mps.tolist() == [5, 5, 5]


@pytest.mark.parametrize("data", [None, "text", [], [[331267700, -1173273436]], [{"lat": 46.0, "lon": 8.0}]])
def test_positions_in_another_form_are_none(data: object) -> None:
    assert fixes_from_blocks([{"GPS": {"Data": data}}, {"GPS": {}}, {}]) is None


def test_without_the_package_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "telemetry_parser", None)
    assert read_other(tmp_path / "not even there.mp4") is None


def test_a_file_that_nothing_reads_has_no_notes(tmp_path: Path) -> None:
    (tmp_path / "ride.mp4").write_bytes(b"no video")
    assert read_other(tmp_path / "ride.mp4") is None
