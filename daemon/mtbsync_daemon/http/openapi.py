"""The description of the interface, made from the routes themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mtbsync_daemon.http.models import Document, ProblemDocument, Query
from mtbsync_daemon.http.problems import MEDIA_TYPE
from mtbsync_daemon.http.routing import Route

_REFERENCES = "#/components/schemas/{model}"
_ANYWHERE = (400, 401, 403, 421, 500)
_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """All routes as an OpenAPI 3.1 document."""
    documents = {m for route in routes for m in (route.body, route.answer) if m} | {ProblemDocument}
    schemas = _schemas(documents)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mtbsync",
            "version": version("mtbsync"),
            "description": "For programs of the user that mtbsync runs as, on the same computer.",
        },
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "mtbsync-PORT"},
            },
        },
    }


def _schemas(documents: set[type[Document]]) -> dict[str, Any]:
    wanted = [(model, "validation") for model in sorted(documents, key=lambda model: model.__name__)]
    _, found = models_json_schema(wanted, ref_template=_REFERENCES)  # type: ignore[arg-type]
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if route.body is not None:
        content = {"application/json": {"schema": _reference(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    elif route.takes:
        operation["requestBody"] = {"required": True, "content": {route.takes: {"schema": {}}}}
    if route.path == "/login":
        operation["security"] = []
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    found = [
        {"name": n, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for n in names
    ]
    if route.query is not None:
        found += _query(route.query)
    if route.is_edit:
        found.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": True,
                "schema": _TEXT,
                "description": "The ETag of what is changed, as it was seen.",
            }
        )
    found += [
        {"name": name, "in": "header", "required": True, "schema": _COUNT, "description": said}
        for name, said in route.counts.items()
    ]
    if route.has_etag and route.method == "GET":
        found.append({"name": "If-None-Match", "in": "header", "schema": _TEXT})
    return found


def _query(model: type[Query]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    shared = schema.get("$defs", {})
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(about, shared)}
        for name, about in schema.get("properties", {}).items()
    ]


def _plain(schema: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """What a value may be where it is there: nothing behind a question mark says null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    found = {**schema, **(kinds[0] if kinds else {})}
    if "$ref" in found:
        found |= shared[found["$ref"].rpartition("/")[2]]
    return {word: said for word, said in found.items() if word not in ("anyOf", "$ref", "title", "default")}


def _responses(route: Route) -> dict[str, Any]:
    statuses = {*_ANYWHERE, *route.errors}
    if route.body is not None:
        statuses |= {413, 415, 422}
    if route.takes:
        statuses |= {411, 415, 422}
    if route.is_edit:
        statuses |= {412, 428}
    if route.method != "GET":
        statuses |= {503, 507}
    problem = {MEDIA_TYPE: {"schema": _reference(ProblemDocument)}}
    if not route.path.startswith("/api/"):
        problem["text/html"] = {"schema": _TEXT}
    responses: dict[str, Any] = {
        str(status): {"description": HTTPStatus(status).phrase, "content": problem}
        for status in sorted(statuses)
    }
    return _successes(route) | responses


def _successes(route: Route) -> dict[str, Any]:
    if route.path == "/login":
        return {"303": {"description": "In; the page is at /."}}
    schema = _reference(route.answer) if route.answer else {} if "json" in route.media_type else _TEXT
    well: dict[str, Any] = {"description": "OK", "content": {route.media_type: {"schema": schema}}}
    found = {"200": well}
    if route.has_etag:
        well["headers"] = {"ETag": {"schema": _TEXT, "description": "Names the version."}}
        if route.method == "GET":
            found["304"] = {"description": "As it was"}
    if 416 in route.errors:
        found |= {"206": dict(well, description="A part"), "304": {"description": "As it was"}}
    return found


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCES.format(model=model.__name__)}


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", route.path.removeprefix("/api/v1"))
    return "_".join([route.method.lower(), *words])
