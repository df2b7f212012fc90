"""Discovery: the well-known documents of an NRP repository, or the home page of a plain InvenioRDM.

Source: NRP protocol, section 1.
"""

import html
from typing import Any, Dict, List

from smartxfer.local.nrp.call import Call, Redirected, Response, framework_error, text_response

_PATH = ".well-known/repository"


def handle(call: Call) -> Response:
    """Handle a call outside the API.

    :raises ApiError: 404, unknown path.
    """
    segments = call.segments
    if segments[:2] == [".well-known", "repository"]:
        if not call.backend.site.well_known:
            raise framework_error(404)
        call.require_method("GET")
        return _describe(call, segments[2:])
    if segments == [""] or (len(segments) == 2 and segments[0] in ("uploads", *call.backend.site.models)):
        call.require_method("GET")
        return _page(call)
    raise framework_error(404)


def _describe(call: Call, segments: List[str]) -> Response:
    if not segments:
        raise Redirected(f"{call.backend.url}/{_PATH}/")
    if segments == [""]:
        return call.json(_info(call))
    if segments == ["models"]:
        models = [_model(call, name) for name in sorted(call.backend.site.models)]
        return call.json([*models, _vocabulary_model(call)])
    if segments[0] == "schema" and len(segments) == 2:
        for name in call.backend.site.models:
            if segments[1] == _schema_name(name):
                return call.json(_schema(name))
    raise framework_error(404)


def _page(call: Call) -> Response:
    """Return the home page; its generator tag identifies a plain InvenioRDM."""
    mark = html.escape(f"InvenioRDM {call.backend.site.version}")
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="generator" content="{mark}">\n'
        "<title>Local repository</title></head><body><h1>Local repository</h1></body></html>\n"
    )
    return text_response(200, text, "text/html; charset=utf-8")


def _info(call: Call) -> Dict[str, Any]:
    backend = call.backend
    site, url = backend.site, backend.url
    features = ["drafts", "workflows", "requests", "communities", "request_types"]
    if site.review != "workflow":
        features.remove("workflows")
    info: Dict[str, Any] = {
        "schema": "local://introspection-v1.0.0", "name": "Local repository", "description": "",
        "version": "local development",
        "invenio_version": site.version,
        "transfers": ["L", "F", "R", "M"],
        "features": features,
        "links": {
            "self": f"{url}/{_PATH}/", "api": backend.api, "models": f"{url}/{_PATH}/models",
            "requests": f"{backend.api}/requests/",
        },
    }
    if len(site.models) == 1:
        info["default_model"] = site.models[0]
    return info


def _schema_name(model: str) -> str:
    return f"{model}-v1.0.0.json"


def _model(call: Call, name: str) -> Dict[str, Any]:
    backend = call.backend
    url = f"{backend.api}/{name}"
    kind: Dict[str, Any] = {"content_type": "application/json", "code": "json", "name": "JSON"}
    kind.update(description="", can_export=True, can_deposit=True)
    kind["schema"] = f"{backend.url}/{_PATH}/schema/{_schema_name(name)}"
    links = {"html": f"{backend.url}/{name}", "records": url, "deposit": url}
    return {
        "type": name, "name": name, "schema": f"local://{_schema_name(name)}", "description": "",
        "version": "1.0.0", "features": ["drafts", "files", "relations"], "metadata": True,
        "links": {**links, "drafts": f"{backend.api}/user/{name}"}, "content_types": [kind],
    }


def _vocabulary_model(call: Call) -> Dict[str, Any]:
    return {
        "type": "vocabulary", "name": "languages", "schema": "local://vocabularies/vocabulary-v1.0.0.json",
        "description": None, "version": "unknown", "features": ["rdm", "vocabulary"], "metadata": False,
        "links": {"records": f"{call.backend.api}/vocabularies/languages", "drafts": None},
        "content_types": [],
    }


def _schema(model: str) -> Dict[str, Any]:
    """Return the JSON schema of a model's records, references resolved."""
    text = {"type": "string"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"local://{_schema_name(model)}",
        "type": "object",
        "properties": {
            "$schema": text, "id": text,
            "metadata": {"type": "object", "properties": {"title": text}, "required": ["title"]},
        },
    }
