"""The interface is what its description says: every route, every answer, whatever is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mtbsync_daemon.http.openapi import describe
from mtbsync_daemon.http.routes.table import ROUTES
from mtbsync_daemon.store.trails import TrailMarker
from support.served import TOKEN, Served, carried, served

DOCUMENT = describe(ROUTES)
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
API = Path(__file__).parents[2] / "docs" / "api.md"
# Nothing may come for long.
_WAITED_FOR = ("/events", "/resolve/connection")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("daemon")) as found:
        run, reference = found.know("RUN.MP4"), found.know("REF.MP4")
        found.refer(reference, "Home", [TrailMarker("gate", "Gate", 10.0)])
        found.post("/syncs", {"recording": run})
        found.until_idle()
        found.place(run, [carried("gate", 10.0), carried("lost", 12.0, t_s=None)])
        found.post("/pushes", {"timeline": "T", "name": "Cut", "steps": []})
        session = found.post("/sessions", {"title": "Race"})["id"]
        found.post(f"/sessions/{session}/cameras", {"path": str(found.film("CAMERA.MP4"))})
        found.until_idle()
        found.post("/resolve/connection", {"timeline": "Cut", "wait_s": 0})
        found.post("/resolve/requests", {"recording": run})
        yield found


def test_the_served_description_is_that_of_the_routes(daemon: Served) -> None:
    assert daemon.get("/openapi.json") == DOCUMENT
    assert {(method, path) for method, path, _ in OPERATIONS} == {(r.method, r.path) for r in ROUTES}
    assert len({operation["operationId"] for _, _, operation in OPERATIONS}) == len(ROUTES)


def test_the_description_is_valid() -> None:
    # schemathesis holds the document against OpenAPI's own schema.
    schemathesis.openapi.from_dict(DOCUMENT).validate()
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        assert schema.get("description") or schema.get("enum"), name
    for reference in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(DOCUMENT)):
        assert reference in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda value: str(value)[:60])
def test_every_route_says_what_it_does_and_how_it_may_refuse(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"].endswith(".")
    assert {"401", "403", "421"} <= set(operation["responses"])
    named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
    assert named == set(re.findall(r"{(\w+)}", path))
    if "404" in operation["responses"]:
        return
    assert not named


def test_what_is_edited_names_its_version() -> None:
    def is_told(path: str) -> bool:
        """Whether that is for scripts in Resolve, to tell what has come of something."""
        return "/pushes/" in path or "/resolve/" in path

    def is_upload(path: str) -> bool:
        """Whether that adds to a file, and says so where it stands."""
        return "/uploads/" in path

    def is_whole(path: str) -> bool:
        """Whether whoever takes that away, or calls it something else, means this very one."""
        return "/anchors/" in path or "/cameras/" in path

    edits = [
        o
        for method, path, o in OPERATIONS
        if method in ("PATCH", "DELETE") and not (is_told(path) or is_upload(path) or is_whole(path))
        if (method, path) != ("DELETE", "/api/v1/sessions/{session_id}")
    ]
    assert len(edits) == 5
    for operation in edits:
        assert "If-Match" in {p["name"] for p in operation["parameters"] if p["required"]}
        assert {"412", "428"} <= set(operation["responses"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_documents_name_every_route(route: Any) -> None:
    assert f"`{route.method} {_written(route.path)}" in API.read_text(encoding="utf-8")


def test_the_documents_name_no_other_route() -> None:
    routes = {f"{route.method} {_written(route.path)}" for route in ROUTES}
    named = re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`?\s]*)", API.read_text(encoding="utf-8"))
    assert set(named) == routes


def _written(path: str) -> str:
    """A path as people write it down."""
    return re.sub(r"{(\w+)}", lambda match: match[1].removesuffix("_id").upper(), path)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, _ in OPERATIONS if not path.endswith(_WAITED_FOR)]
)
def test_p10_whatever_is_sent_is_answered_as_described(
    daemon: Served, method: str, path: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
    there = _there(daemon)
    exists = there.keys() >= set(re.findall(r"{(\w+)}", path))

    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_known=strategies.booleans())
    def send(case: schemathesis.Case, is_known: bool) -> None:
        if is_known and exists:
            # What is made up is hardly ever there.
            case.path_parameters = {name: there[name] for name in case.path_parameters}
        headers = {"Authorization": f"Bearer {TOKEN}"} | ({"If-Match": "*"} if is_known else {})
        answer = case.call(base_url=daemon.url, headers=headers, timeout=30, allow_redirects=False)
        case.validate_response(answer, checks=CHECKS)

    # Not every route has something that could be wrong.
    with suppress(Unsatisfiable):
        send()


def _there(daemon: Served) -> dict[str, str]:
    """An id of each kind that there is."""
    run = next(r for r in daemon.get("/recordings")["recordings"] if r["name"] == "RUN.MP4")
    found = {"recording_id": run["id"], "marker_id": "gate", "ordinal": "0", "push_id": "1"}
    found["request_id"] = daemon.get("/resolve")["requests"][0]["id"]
    found |= {"label": "A", "kind": "thumbnail", "format_name": "otio"}
    for noun in ("trail", "sync", "job", "export", "session"):
        known = daemon.get(f"/{noun}s")[f"{noun}s"]
        found |= {f"{noun}_id": known[0]["id"]} if known else {}
    return found
