"""What the repository tells of itself: as an NRP repository, or by the home page of a plain InvenioRDM.

Source: NRP protocol, section 1.
"""

import html
from typing import Any, Dict, List

from smartxfer.local.nrp.call import Call, Moved, Response, framework, text_response

_PATH = ".well-known/repository"


def answer(call: Call) -> Response:
    """Answer a call outside the API.

    :raises ApiError: 404, there is nothing.
    """
    words = call.words
    if words[:2] == [".well-known", "repository"]:
        if not call.backend.site.well_known:
            raise framework(404)
        call.only("GET")
        return _told(call, words[2:])
    if words == [""] or (len(words) == 2 and words[0] in ("uploads", *call.backend.site.models)):
        call.only("GET")
        return _page(call)
    raise framework(404)


def _told(call: Call, words: List[str]) -> Response:
    if not words:
        raise Moved(f"{call.backend.url}/{_PATH}/")
    if words == [""]:
        return call.json(_info(call))
    if words == ["models"]:
        models = [_model(call, name) for name in sorted(call.backend.site.models)]
        return call.json([*models, _vocabulary_model(call)])
    if words[0] == "schema" and len(words) == 2:
        for name in call.backend.site.models:
            if words[1] == _schema_name(name):
                return call.json(_schema(name))
    raise framework(404)


def _page(call: Call) -> Response:
    """A page for browsers; its generator is what a plain InvenioRDM is known by."""
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
    found: Dict[str, Any] = {
        "schema": "local://introspection-v1.0.0", "name": "Local repository", "description": "",
        "version": "local development",
        "invenio_version": site.version,
        "transfers": ["L", "F", "R", "M"],
        "features": features,
        "links": {
            "self": f"{url}/{_PATH}/",
            "api": backend.api,
            "models": f"{url}/{_PATH}/models",
            "requests": f"{backend.api}/requests/",
        },
    }
    if len(site.models) == 1:
        found["default_model"] = site.models[0]
    return found


def _schema_name(model: str) -> str:
    return f"{model}-v1.0.0.json"


def _model(call: Call, name: str) -> Dict[str, Any]:
    backend = call.backend
    place = f"{backend.api}/{name}"
    kind: Dict[str, Any] = {"content_type": "application/json", "code": "json", "name": "JSON"}
    kind.update(description="", can_export=True, can_deposit=True)
    kind["schema"] = f"{backend.url}/{_PATH}/schema/{_schema_name(name)}"
    links = {"html": f"{backend.url}/{name}", "records": place, "deposit": place}
    return {
        "type": name, "name": name, "schema": f"local://{_schema_name(name)}", "description": "",
        "version": "1.0.0",
        "features": ["drafts", "files", "relations"],
        "metadata": True,
        "links": {**links, "drafts": f"{backend.api}/user/{name}"},
        "content_types": [kind],
    }


def _vocabulary_model(call: Call) -> Dict[str, Any]:
    return {
        "type": "vocabulary",
        "name": "languages",
        "schema": "local://vocabularies/vocabulary-v1.0.0.json",
        "description": None,
        "version": "unknown",
        "features": ["rdm", "vocabulary"],
        "metadata": False,
        "links": {"records": f"{call.backend.api}/vocabularies/languages", "drafts": None},
        "content_types": [],
    }


def _schema(model: str) -> Dict[str, Any]:
    """The JSON schema of a model's records, references resolved."""
    text = {"type": "string"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"local://{_schema_name(model)}",
        "type": "object",
        "properties": {
            "$schema": text,
            "id": text,
            "metadata": {"type": "object", "properties": {"title": text}, "required": ["title"]},
        },
    }
