"""FIT files become fixes, or a sentence that says what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.telemetry.fit import read_fit
from mtbsync_engine.telemetry.read import read_track
from support.fit_file import Record, body_of, fit_file, sealed

START = int(datetime(2026, 6, 8, 19, 0, 0, tzinfo=UTC).timestamp())
RIDE = [Record(START + k, 45 + 1e-5 * k, 7 - 1e-5 * k, 300 + k, 4, 1.5) for k in range(20)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ride.fit"


def test_records_become_fixes(file: Path) -> None:
    file.write_bytes(fit_file(RIDE))
    fixes = read_fit(file)
    np.testing.assert_array_equal(fixes.t_s, START + np.arange(20))
    np.testing.assert_allclose(fixes.lat_deg, 45 + 1e-5 * np.arange(20), atol=1e-7)
    np.testing.assert_allclose(fixes.lon_deg, 7 - 1e-5 * np.arange(20), atol=1e-7)
    np.testing.assert_allclose(fixes.ele_m, 300 + np.arange(20))
    assert (fixes.accuracy_m == 4).all()
    assert (fixes.speed_mps == 1.5).all()


def test_what_a_record_does_not_say_is_not_known(file: Path) -> None:
    file.write_bytes(fit_file([Record(START), Record(START + 1)]))
    fixes = read_fit(file)
    assert (fixes.accuracy_m == 3).all()
    assert np.isnan(fixes.ele_m).all()
    assert np.isnan(fixes.speed_mps).all()


def test_records_without_a_position_are_passed_over(file: Path) -> None:
    indoors = Record(START + 100, None, None, 300)
    file.write_bytes(fit_file([*RIDE[:5], indoors, *RIDE[5:]]))
    assert read_fit(file).t_s[-1] == START + 19


def test_records_are_sorted_and_of_equal_times_the_first_counts(file: Path) -> None:
    file.write_bytes(fit_file([Record(START + 5, 45.5), Record(START, 45.0), Record(START + 5, 46)]))
    np.testing.assert_allclose(read_fit(file).lat_deg, [45, 45.5], atol=1e-7)


def test_a_fit_file_is_known_by_its_content_and_placed_by_its_dates(tmp_path: Path) -> None:
    path = tmp_path / "ride.bin"
    path.write_bytes(fit_file(RIDE))
    track = read_track(path, datetime.fromtimestamp(START + 8, UTC), 0.5)
    assert (track.t_s[0], track.t_s[-1]) == (-7.5, 11.5)
    np.testing.assert_allclose(track.north_m[::10], 1.1113 * np.arange(20), atol=0.02)


def test_a_flipped_bit_in_the_checksum_is_noticed(file: Path) -> None:
    whole = bytearray(fit_file(RIDE))
    whole[-1] ^= 1
    file.write_bytes(whole)
    with pytest.raises(TelemetryError, match="not a FIT file that can be read"):
        read_fit(file)


@pytest.mark.parametrize("n_bytes", [1, 11, 14, 60, 200, -1])
def test_a_file_that_breaks_off_is_refused(file: Path, n_bytes: int) -> None:
    file.write_bytes(fit_file(RIDE)[:n_bytes])
    with pytest.raises(TelemetryError, match=r"'ride\.fit' is not a FIT file that can be read"):
        read_track(file)


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ([], "holds no positions"),
        ([Record(START)], "holds no positions"),
        ([Record(START), Record(START, 46.0)], "holds no positions"),
        ([Record(START), Record(START + 200_000)], "more than two days"),
    ],
)
def test_a_file_without_a_ride_gets_one_sentence(file: Path, records: list[Record], sentence: str) -> None:
    file.write_bytes(fit_file(records))
    with pytest.raises(TelemetryError, match=sentence):
        read_fit(file)


def test_a_missing_file_and_a_folder_and_a_huge_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match=r"There is no FIT file '.*gone\.fit'"):
        read_track(tmp_path / "gone.fit")
    (tmp_path / "folder.fit").mkdir()
    with pytest.raises(TelemetryError, match="cannot be read as a FIT file"):
        read_track(tmp_path / "folder.fit")
    with (tmp_path / "huge.fit").open("wb") as file:
        file.truncate(33 * 1024 * 1024)
    with pytest.raises(TelemetryError, match="larger than 32 MB"):
        read_track(tmp_path / "huge.fit")


WHOLE = fit_file(RIDE[:6])


@settings(max_examples=100, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=6),
    end=st.integers(0, len(WHOLE)),
    is_sealed=st.booleans(),
)
def test_any_damage_leaves_fixes_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], end: int, is_sealed: bool
) -> None:
    damaged = bytearray(WHOLE)
    for place, byte in changes:
        damaged[place] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.fit"
    # With a checksum that agrees, damage gets further.
    path.write_bytes(sealed(body_of(bytes(damaged[:end]))) if is_sealed else damaged[:end])
    try:
        fixes = read_fit(path)
    except TelemetryError:
        return
    assert (np.diff(fixes.t_s) > 0).all()
