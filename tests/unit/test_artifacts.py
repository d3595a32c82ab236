"""What one step leaves for the next comes back as it was, or is refused by name."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine import artifacts, model
from mtbsync_engine.align.fit import FitParams, fit
from mtbsync_engine.artifacts import (
    TimeWarp,
    load_fit,
    load_likeness,
    load_matching,
    load_pairs,
    load_pairs_raw,
    load_timewarp_json,
    load_warp,
    save_likeness,
    save_matching,
    save_pairs,
    save_pairs_raw,
    save_timewarp_json,
    save_warp,
)
from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.judge import Gates, Judged
from mtbsync_engine.model import (
    Anchor,
    Decision,
    FloatArray,
    GpsUse,
    LikenessImage,
    MatchedPairs,
    Matching,
    Model,
    OtherPlace,
    TimeMap,
    Verdict,
    Witness,
)
from mtbsync_engine.pipeline import fit_and_judge


def _matching(seed: int = 0, *, margin: float = 0.8, separation_m: float = math.nan) -> Matching:
    """Twenty seconds of sightings with a hole from 10 s to 15 s."""
    rng = np.random.default_rng(seed)
    t_new = np.arange(60) / 3
    t_new = t_new[(t_new <= 10) | (t_new >= 15)]
    pairs = MatchedPairs(
        t_new=t_new,
        t_ref=3.1 + 1.02 * t_new + 0.03 * rng.standard_normal(t_new.size),
        se_s=rng.uniform(0.02, 0.1, t_new.size),
        score=rng.uniform(2, 6, t_new.size),
        n_inliers=rng.integers(0, 60, t_new.size) * (rng.random(t_new.size) < 0.8),
    )
    gps = GpsUse.NONE if math.isnan(separation_m) else GpsUse.BOTH
    return Matching(pairs, ((0.0, 10.0), (15.0, float(t_new[-1]))), 1 / 6, 20.0, margin, gps, separation_m)


def _judged(model: Model = Model.CURVE, **kwargs: float) -> Judged:
    return fit_and_judge(_matching(**kwargs), FitParams(model=model), Gates())


def _assert_same(a: TimeWarp, b: TimeWarp) -> None:
    for name in ("t_new", "t_ref", "se_s"):
        np.testing.assert_array_equal(getattr(a.time_map, name), getattr(b.time_map, name))
    assert a.time_map.support == b.time_map.support
    assert (a.model, a.verdict) == (b.model, b.verdict)


# --- time maps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", list(Model))
def test_a_warp_comes_back_to_the_last_bit(tmp_path: Path, model: Model) -> None:
    timewarp = TimeWarp.of(_judged(model))
    save_warp(timewarp, tmp_path / "warp.npz")
    _assert_same(load_warp(tmp_path / "warp.npz"), timewarp)


@pytest.mark.parametrize("model", list(Model))
def test_a_timewarp_json_comes_back_to_the_last_bit(tmp_path: Path, model: Model) -> None:
    judged = _judged(model)
    save_timewarp_json(judged, {"new": {"rate": "30000/1001"}}, tmp_path / "timewarp.json")
    _assert_same(load_timewarp_json(tmp_path / "timewarp.json"), TimeWarp.of(judged))


_TIMES = st.lists(st.floats(0, 1e5), min_size=2, max_size=20, unique=True).map(sorted)


@settings(deadline=None, max_examples=30)
@given(t_new=_TIMES, t_ref=_TIMES, reason=st.text(), decision=st.sampled_from(Decision))
def test_any_map_and_any_words_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    t_new: list[float],
    t_ref: list[float],
    reason: str,
    decision: Decision,
) -> None:
    n = min(len(t_new), len(t_ref))
    time_map = TimeMap(t_new[:n], t_ref[:n], np.full(n, 0.1), ((t_new[0], t_new[n - 1]),))
    timewarp = TimeWarp(time_map, Model.CURVE, Verdict(decision, (reason, "and another")))
    path = tmp_path_factory.mktemp("warp") / "warp.npz"
    save_warp(timewarp, path)
    _assert_same(load_warp(path), timewarp)


def test_the_json_says_what_people_script_against(tmp_path: Path) -> None:
    judged = _judged(Model.AFFINE, separation_m=4.5)
    path = tmp_path / "timewarp.json"
    save_timewarp_json(judged, {"key": "abc"}, path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["ok"] is True
    assert document["verdict"] == judged.verdict.decision.value
    assert document["reasons"] == list(judged.verdict.reasons)
    assert document["model"] == "affine"
    assert document["params"]["a"] == pytest.approx(1.02, abs=0.005)
    assert document["params"]["b"] == pytest.approx(3.1, abs=0.05)
    assert document["ppm"] == pytest.approx((document["params"]["a"] - 1) * 1e6, rel=1e-6)
    assert set(document["residuals"]) == {"mae", "p50", "p90", "p95"}
    assert document["margin"] == 0.8
    assert document["gps"]["separation_m"] == 4.5
    assert document["key"] == "abc"


def test_what_is_not_known_is_null_in_the_json(tmp_path: Path) -> None:
    path = tmp_path / "timewarp.json"
    save_timewarp_json(_judged(margin=math.nan), {}, path)
    text = path.read_text(encoding="utf-8")
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert document["margin"] is None
    assert document["gps"]["separation_m"] is None


def test_a_rejected_alignment_is_not_ok(tmp_path: Path) -> None:
    path = tmp_path / "timewarp.json"
    save_timewarp_json(_judged(margin=0.1), {}, path)
    assert json.loads(path.read_text(encoding="utf-8"))["ok"] is False
    assert load_timewarp_json(path).verdict.decision is Decision.REJECT


def test_a_map_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "FORMAT_VERSION", artifacts.FORMAT_VERSION + 1)
    save_warp(TimeWarp.of(_judged()), tmp_path / "warp.npz")
    save_timewarp_json(_judged(), {}, tmp_path / "timewarp.json")
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match=r"warp\.npz holds no time map that this version"):
        load_warp(tmp_path / "warp.npz")
    with pytest.raises(ArtifactError, match=r"timewarp\.json holds no time map that this version"):
        load_timewarp_json(tmp_path / "timewarp.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["knots"].pop("t_ref"),
        lambda d: d["knots"]["t_ref"].reverse(),
        lambda d: d["knots"]["t_ref"].pop(),
        lambda d: d["knots"].update(t_new="soon"),
        lambda d: d["knots"].update(se_s=[-1.0] * len(d["knots"]["se_s"])),
        lambda d: d["knots"].update(support=[]),
        lambda d: d["knots"].update(support=[[0.0, 1.0, 2.0]]),
        lambda d: d["knots"].update(support=[0.0, 1.0]),
        lambda d: d.update(knots=[1, 2]),
        lambda d: d.update(knots=None),
        lambda d: d.update(model="spline"),
        lambda d: d.update(verdict="maybe"),
        lambda d: d.update(reasons=7),
        lambda d: d.update(format_version="1"),
        lambda d: d.pop("format_version"),
        lambda d: d["knots"]["t_new"].__setitem__(0, None),
        lambda d: d["knots"]["t_new"].__setitem__(0, [1.0]),
        lambda d: d["knots"]["t_new"].__setitem__(0, math.nan),
    ],
)
def test_a_json_that_was_tampered_with_is_refused(tmp_path: Path, change: object) -> None:
    path = tmp_path / "timewarp.json"
    save_timewarp_json(_judged(), {}, path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert callable(change)
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"timewarp\.json holds no time map"):
        load_timewarp_json(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"null", b"\xff\xfe", b'{"knots": {}}'])
def test_what_is_no_timewarp_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "timewarp.json"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"timewarp\.json holds no time map"):
        load_timewarp_json(path)


# --- archives that were damaged ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warp(tmp_path_factory: pytest.TempPathFactory) -> tuple[TimeWarp, bytes]:
    path = tmp_path_factory.mktemp("warp") / "warp.npz"
    time_map = TimeMap([0.0, 1.0, 2.0], [3.0, 4.0, 5.5], [0.1] * 3, ((0.0, 1.0), (1.5, 2.0)))
    timewarp = TimeWarp(time_map, Model.CURVE, Verdict(Decision.REVIEW, ("look",)))
    save_warp(timewarp, path)
    return timewarp, path.read_bytes()


@pytest.fixture(scope="module")
def likeness(tmp_path_factory: pytest.TempPathFactory) -> tuple[LikenessImage, bytes]:
    path = tmp_path_factory.mktemp("likeness") / "likeness.npz"
    z = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float16)
    image = LikenessImage(z, np.arange(5.0), np.arange(6.0))
    save_likeness(image, path)
    return image, path.read_bytes()


@pytest.mark.parametrize("bit", range(8))
def test_a_warp_with_a_flipped_bit_is_refused_or_whole(
    tmp_path: Path, warp: tuple[TimeWarp, bytes], bit: int
) -> None:
    timewarp, content = warp
    path = tmp_path / "warp.npz"
    n_refused = 0
    for place in range(bit, len(content), 8):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            _assert_same(load_warp(path), timewarp)
        except ArtifactError:
            n_refused += 1
    assert n_refused > len(content) / 16


@pytest.mark.parametrize("bit", range(8))
def test_a_likeness_with_a_flipped_bit_is_refused_or_whole(
    tmp_path: Path, likeness: tuple[LikenessImage, bytes], bit: int
) -> None:
    image, content = likeness
    path = tmp_path / "likeness.npz"
    n_refused = 0
    for place in range(bit % 4, len(content), 4):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(load_likeness(path).z, image.z)
        except ArtifactError:
            n_refused += 1
    assert n_refused > len(content) / 20


def test_an_archive_that_was_cut_short_is_refused(tmp_path: Path, warp: tuple[TimeWarp, bytes]) -> None:
    path = tmp_path / "warp.npz"
    _, content = warp
    for length in range(0, len(content) - 1, 11):
        path.write_bytes(content[:length])
        with pytest.raises(ArtifactError, match=r"warp\.npz"):
            load_warp(path)


def _one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(3))


def _pickle(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, about=np.array([{"a": 1}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"hello"),
        lambda path: path.write_bytes(b"PK\x05\x06" + bytes(18)),
        _one_array,
        _pickle,
    ],
    ids=["empty", "text", "an empty archive", "a single array", "pickled objects"],
)
def test_what_is_no_archive_of_ours_is_refused(tmp_path: Path, make: object) -> None:
    path = tmp_path / "thing.npz"
    assert callable(make)
    make(path)
    for load in (load_warp, load_likeness, load_matching):
        with pytest.raises(ArtifactError, match=r"thing\.npz"):
            load(path)
    # Nothing holds the file open, so that it can be replaced on any system.
    path.unlink()


@pytest.mark.parametrize(
    "load",
    [load_warp, load_likeness, load_timewarp_json, load_pairs, load_pairs_raw, load_matching, load_fit],
)
def test_what_is_missing_is_refused_by_name(tmp_path: Path, load: object) -> None:
    assert callable(load)
    with pytest.raises(ArtifactError, match=r"missing\.thing"):
        load(tmp_path / "missing.thing")
    with pytest.raises(ArtifactError, match=tmp_path.name):
        load(tmp_path)


def test_the_likeness_comes_back_to_the_last_bit(
    tmp_path: Path, likeness: tuple[LikenessImage, bytes]
) -> None:
    image, content = likeness
    (tmp_path / "likeness.npz").write_bytes(content)
    loaded = load_likeness(tmp_path / "likeness.npz")
    for name in ("z", "t_new", "t_ref"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(image, name))
        assert getattr(loaded, name).dtype == getattr(image, name).dtype


# --- all that the runs have in common -------------------------------------------------------------------


def _whole_matching() -> Matching:
    """One that has something of everything."""
    rng = np.random.default_rng(1)
    t_new_s = rng.uniform(0, 20, 3)
    return replace(
        _matching(margin=math.nan, separation_m=1 / 3),
        testimonies=(
            model.Testimony(Witness.GPS, t_new_s, t_new_s + 1 / 7, rng.uniform(0.1, 2, 3)),
            model.Testimony(Witness.TURNS, np.zeros(0), np.zeros(0), np.zeros(0)),
        ),
        elsewhere=(OtherPlace(0.1, 1 / 3, 0.95), OtherPlace(0.0, 90.7, 2 / 3)),
        anchors=(Anchor(1 / 3, 10 / 3),),
    )


def _assert_same_matching(one: Matching, other: Matching) -> None:
    for name in (field.name for field in fields(MatchedPairs)):
        np.testing.assert_array_equal(getattr(one.pairs, name), getattr(other.pairs, name))
        assert getattr(one.pairs, name).dtype == getattr(other.pairs, name).dtype
    assert [t.witness for t in one.testimonies] == [t.witness for t in other.testimonies]
    for mine, yours in zip(one.testimonies, other.testimonies, strict=True):
        for name in ("t_new_s", "t_ref_s", "se_s"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(yours, name))
    for name in ("stretches", "reach_s", "duration_new_s", "gps", "elsewhere", "anchors"):
        assert getattr(one, name) == getattr(other, name)
    np.testing.assert_array_equal([one.margin, one.gps_separation_m], [other.margin, other.gps_separation_m])


def test_a_matching_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    for matching in (_whole_matching(), _matching()):
        save_matching(matching, tmp_path / "matching.npz")
        _assert_same_matching(load_matching(tmp_path / "matching.npz"), matching)


@pytest.mark.parametrize("model_name", list(Model))
def test_what_was_kept_is_fitted_again_to_the_same_map(tmp_path: Path, model_name: Model) -> None:
    params, gates = FitParams(model_name, inlier_thresh_s=0.31, seed=3), Gates(0.3, 0.9, 200_000.0)
    matching = replace(_whole_matching(), anchors=())
    judged = fit_and_judge(matching, params, gates)
    save_matching(matching, tmp_path / "matching.npz")
    about = {"fit": asdict(params), "gates": asdict(gates)}
    save_timewarp_json(judged, about, tmp_path / "timewarp.json")
    kept_params, kept_gates, document = load_fit(tmp_path / "timewarp.json")
    assert (kept_params, kept_gates) == (params, gates)
    assert document["model"] == model_name.value
    again = fit_and_judge(load_matching(tmp_path / "matching.npz"), kept_params, kept_gates)
    _assert_same(TimeWarp.of(again), TimeWarp.of(judged))
    assert again.quality == judged.quality or math.isnan(judged.quality.margin)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("fit"),
        lambda d: d.pop("gates"),
        lambda d: d.update(fit=None),
        lambda d: d["fit"].update(model="spline"),
        lambda d: d["fit"].update(wiggle=1),
        lambda d: d.update(gates=[1, 2]),
    ],
)
def test_a_json_that_does_not_tell_how_it_was_fitted_is_refused(tmp_path: Path, change: object) -> None:
    path = tmp_path / "timewarp.json"
    save_timewarp_json(_judged(), {"fit": asdict(FitParams()), "gates": asdict(Gates())}, path)
    load_fit(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert callable(change)
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"timewarp\.json does not tell .* sync this run again"):
        load_fit(path)


def test_a_matching_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "FORMAT_VERSION", artifacts.FORMAT_VERSION + 1)
    save_matching(_matching(), tmp_path / "matching.npz")
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match=r"matching\.npz .* sync this run again"):
        load_matching(tmp_path / "matching.npz")


@pytest.mark.parametrize("bit", range(8))
def test_a_matching_with_a_flipped_bit_is_refused_or_whole(tmp_path: Path, bit: int) -> None:
    path = tmp_path / "matching.npz"
    matching = _whole_matching()
    save_matching(matching, path)
    content = path.read_bytes()
    n_refused = 0
    places = range(bit, len(content), 97)
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            _assert_same_matching(load_matching(path), matching)
        except ArtifactError:
            n_refused += 1
    assert n_refused > len(places) / 2


# --- pairs -------------------------------------------------------------------------------------------


def test_raw_pairs_come_back_to_the_microsecond(tmp_path: Path) -> None:
    pairs = _matching().pairs
    save_pairs_raw(pairs, tmp_path / "pairs_raw.csv")
    loaded = load_pairs_raw(tmp_path / "pairs_raw.csv")
    for name in ("t_new", "t_ref", "score"):
        np.testing.assert_allclose(getattr(loaded, name), getattr(pairs, name), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(loaded.n_inliers, pairs.n_inliers)
    assert np.isnan(loaded.se_s).all()


def test_pairs_come_back_with_their_stretches(tmp_path: Path) -> None:
    matching = _matching()
    save_pairs(matching, tmp_path / "pairs.csv")
    loaded = load_pairs(tmp_path / "pairs.csv")
    for name in ("t_new", "t_ref", "se_s"):
        np.testing.assert_allclose(
            getattr(loaded.pairs, name), getattr(matching.pairs, name), rtol=0, atol=1e-6
        )
    np.testing.assert_array_equal(loaded.pairs.n_inliers, matching.pairs.n_inliers)
    np.testing.assert_allclose(loaded.stretches, matching.stretches, rtol=0, atol=1e-6)
    assert math.isnan(loaded.margin)
    assert loaded.gps is GpsUse.NONE


@pytest.mark.parametrize("model", list(Model))
def test_pairs_that_were_kept_give_the_same_map_again(tmp_path: Path, model: Model) -> None:
    matching = _matching()
    save_pairs(matching, tmp_path / "pairs.csv")
    before, after = (
        fit(m, FitParams(model=model)).time_map for m in (matching, load_pairs(tmp_path / "pairs.csv"))
    )
    moments = np.r_[np.linspace(0, 10, 50), np.linspace(15, 19.7, 30)]
    np.testing.assert_allclose(after.to_ref(moments), before.to_ref(moments), rtol=0, atol=1e-4)
    np.testing.assert_allclose(after.error_ref_s(moments), before.error_ref_s(moments), rtol=0.01)
    np.testing.assert_allclose(after.support, before.support, rtol=0, atol=1e-3)


def test_a_confidence_is_the_chance_of_being_within_a_quarter_of_a_second(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    save_pairs(_matching(), path)
    saved = load_pairs(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "t_new,t_ref,confidence,se_s,n_inliers,stretch"
    without = "\n".join(",".join(line.split(",")[:3]) for line in lines)
    path.write_text(without, encoding="utf-8")
    uncertain = saved.pairs.se_s > 0.06
    np.testing.assert_allclose(load_pairs(path).pairs.se_s[uncertain], saved.pairs.se_s[uncertain], rtol=0.02)


def _pairs_file(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def _rows(t_new: FloatArray, confidence: float = 0.9) -> str:
    return "".join(f"{t:.3f},{t + 5:.3f},{confidence}\r\n" for t in t_new)


def test_pairs_of_another_program_need_three_columns_only(tmp_path: Path) -> None:
    t_new = np.r_[np.arange(0, 8, 0.5), np.arange(12, 20, 0.5)]
    path = _pairs_file(tmp_path, "\ufefft_new,t_ref,confidence\r\n" + _rows(t_new))
    matching = load_pairs(path)
    assert matching.stretches == ((0.0, 7.5), (12.0, 19.5))
    assert matching.reach_s == pytest.approx(0.25)
    assert matching.duration_new_s == pytest.approx(19.75)
    assert (matching.pairs.n_inliers == 0).all()
    # Nine in ten within a quarter of a second.
    np.testing.assert_allclose(matching.pairs.se_s, 0.25 / 1.645, rtol=0.001)
    time_map = fit(matching, FitParams()).time_map
    assert time_map.to_ref(4.2) == pytest.approx(9.2, abs=0.001)
    assert np.isnan(time_map.to_ref(10.0))


@pytest.mark.parametrize("confidence", [0.0, 1e-9, 1.0])
def test_the_extremes_of_confidence_still_have_an_error(tmp_path: Path, confidence: float) -> None:
    path = _pairs_file(tmp_path, "t_new,t_ref,confidence\r\n" + _rows(np.arange(5.0), confidence))
    se_s = load_pairs(path).pairs.se_s
    assert np.isfinite(se_s).all()
    assert (se_s >= 0.01).all()


def test_stretches_may_be_numbered_in_any_way(tmp_path: Path) -> None:
    rows = "".join(f"{t},{t + 5},0.9,{7 if t < 4 else 3}\n" for t in range(8))
    matching = load_pairs(_pairs_file(tmp_path, "t_new,t_ref,confidence,stretch\n" + rows))
    assert matching.stretches == ((0.0, 3.0), (4.0, 7.0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "t_new,t_ref,confidence\n",
        "t_new,t_ref\n1,2\n2,3\n",
        "t_new,t_ref,confidence\n1,2,0.9\n1,3,0.9\n",
        "t_new,t_ref,confidence\n2,2,0.9\n1,3,0.9\n",
        "t_new,t_ref,confidence\n1,2,0.9\n2,nan,0.9\n",
        "t_new,t_ref,confidence\n1,2,0.9\n2,inf,0.9\n",
        "t_new,t_ref,confidence\n1,2,0.9\n2,3\n",
        "t_new,t_ref,confidence\n1,2,0.9\n2,3,high\n",
        "t_new,t_ref,confidence\n1,2,0.9\n2,3,90\n",
        "t_new,t_ref,confidence\n1,2,0.9\n2,3,-0.1\n",
        "t_new,t_ref,confidence,se_s\n1,2,0.9,0.1\n2,3,0.9,0\n",
        "t_new,t_ref,confidence,se_s\n1,2,0.9,0.1\n2,3,0.9,-0.1\n",
        "t_new,t_ref,confidence,stretch\n1,2,0.9,0\n2,3,0.9,nan\n",
    ],
    ids=[
        "empty",
        "no rows",
        "no confidence",
        "equal times",
        "times fall",
        "nan",
        "infinite",
        "a short row",
        "words",
        "per cent",
        "negative confidence",
        "no error at all",
        "negative error",
        "no stretch",
    ],
)
def test_pairs_that_are_malformed_are_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ArtifactError, match=r"pairs\.csv"):
        load_pairs(_pairs_file(tmp_path, text))
