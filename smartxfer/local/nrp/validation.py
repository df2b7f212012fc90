"""Validation of drafts: invalid fields are dropped and reported, missing ones prevent the publication.

Source: NRP protocol, section 4.
"""

import re
from typing import Any, Callable, Dict, List, Tuple

from smartxfer.local.nrp.api_responses import ApiError
from smartxfer.local.nrp.vocabularies import find_unknown_id

Errors = List[Dict[str, Any]]

_MISSING = "Missing data for required field."
_UNKNOWN = "Unknown field."
_NO_TEXT = "Not a valid string."
_WRONG_TYPE = "Invalid input type."
_LISTS = {
    "additional_titles", "additional_descriptions", "contributors", "dates", "formats", "funding",
    "identifiers", "references", "related_identifiers", "rights", "sizes", "subjects",
}  # fmt: skip
_TEXTS = {"publisher", "description", "version", "copyright"}
_MANDATORY = ("creators", "publication_date", "resource_type", "title")
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?(/\d{4}(-\d{2}(-\d{2})?)?)?")


def clean_document(body: Dict[str, Any], *, open_schema: bool) -> Tuple[Dict[str, Any], Errors]:
    """Return the valid part of a draft, and the errors of dropped fields.

    Unknown members and missing metadata are not errors.

    :param body: the received document.
    :param open_schema: accept any metadata.
    :raises ApiError: 400, the metadata names an unknown entry of a vocabulary.
    """
    errors: Errors = []
    value = body.get("metadata")
    metadata: Dict[str, Any] = {}
    if isinstance(value, dict):
        metadata = _metadata(value, errors, open_schema)
        errors += missing_fields({"metadata": value}, open_schema=open_schema)
    elif value is not None:
        _add(errors, "metadata._schema", _WRONG_TYPE)
    id = None if open_schema else find_unknown_id(metadata)
    if id is not None:
        raise ApiError(400, f"Invalid value {id}.")
    errors.sort(key=lambda error: str(error["field"]))
    return {
        "metadata": metadata, "access": _access(body.get("access"), errors),
        "files": {"enabled": _enabled(body.get("files"), errors)},
        "custom_fields": _object(body.get("custom_fields"), "custom_fields", errors),
        "pids": _object(body.get("pids"), "pids", errors),
    }, errors


def missing_fields(values: Dict[str, Any], *, open_schema: bool) -> Errors:
    """Return the errors for missing mandatory metadata."""
    mandatory = ("title",) if open_schema else _MANDATORY
    return [
        {"field": f"metadata.{name}", "messages": [_MISSING]}
        for name in mandatory
        if name not in values["metadata"]
    ]


def _add(errors: Errors, field: str, message: str) -> Any:
    """Add an error; the value is dropped."""
    errors.append({"field": field, "messages": [message]})


def _object(value: Any, name: str, errors: Errors) -> Dict[str, Any]:
    if value is None or isinstance(value, dict):
        return value or {}
    _add(errors, name, "Not a valid mapping type.")
    return {}


def _enabled(value: Any, errors: Errors) -> bool:
    enabled = value.get("enabled", True) if isinstance(value, dict) else True
    if not isinstance(enabled, bool):
        _add(errors, "files.enabled", "Not a valid boolean.")
        return True
    return enabled


def _access(value: Any, errors: Errors) -> Dict[str, Any]:
    access_fields = value if isinstance(value, dict) else {}
    access: Dict[str, Any] = {}
    for name in ("files", "record"):
        word = access_fields.get(name, "public")
        if word not in ("public", "restricted"):
            _add(errors, f"access.{name}", f"'{name}' must be either 'public' or 'restricted'")
            word = "public"
        access[name] = word
    embargo = access_fields.get("embargo")
    if isinstance(embargo, dict) and embargo.get("active"):
        access["embargo"] = {key: embargo[key] for key in ("active", "until", "reason") if key in embargo}
    return access


def _metadata(metadata: Dict[str, Any], errors: Errors, open_schema: bool) -> Dict[str, Any]:
    stored: Dict[str, Any] = {}
    for name, value in metadata.items():
        field = f"metadata.{name}"
        if open_schema and name != "title":
            stored[name] = value
            continue
        before = len(errors)
        checked = _CHECKS[name](value, field, errors) if name in _CHECKS else _add(errors, field, _UNKNOWN)
        if len(errors) == before:
            stored[name] = checked
    return stored


def _title(value: Any, field: str, errors: Errors) -> Any:
    if not isinstance(value, str):
        return _add(errors, field, "Field may not be null." if value is None else _NO_TEXT)
    if len(value.strip()) < 3:
        _add(errors, field, "Shorter than minimum length 3.")
    return value.strip()


def _text(value: Any, field: str, errors: Errors) -> Any:
    return value if isinstance(value, str) else _add(errors, field, _NO_TEXT)


def _date(value: Any, field: str, errors: Errors) -> Any:
    if not isinstance(value, str) or not _DATE.fullmatch(value.strip()):
        _add(errors, field, "Please provide a valid date or interval, e.g. YYYY-MM-DD or YYYY/YYYY.")
    return value


def _list(value: Any, field: str, errors: Errors) -> List[Any]:
    if not isinstance(value, list):
        _add(errors, field, "Not a valid list.")
        return []
    return value


def _kind(value: Any, field: str, errors: Errors) -> Any:
    if not isinstance(value, dict):
        return _add(errors, field + "._schema", _WRONG_TYPE)
    if not isinstance(value.get("id"), str):
        return _add(errors, field + ".id", _NO_TEXT if "id" in value else _MISSING)
    return {"id": value["id"]}


def _kinds(value: Any, field: str, errors: Errors) -> Any:
    """Validate entries of a vocabulary by id."""
    listed = _list(value, field, errors)
    return [_kind(item, f"{field}.{index}", errors) for index, item in enumerate(listed)]


def _creators(value: Any, field: str, errors: Errors) -> Any:
    if value == []:
        return _add(errors, field, _MISSING)
    creators: List[Any] = []
    for index, creator in enumerate(_list(value, field, errors)):
        url = f"{field}.{index}.person_or_org"
        user = creator.get("person_or_org") if isinstance(creator, dict) else None
        if isinstance(user, dict):
            creators.append({**creator, "person_or_org": _person(user, url, errors)})
        else:
            _add(errors, url, _MISSING)
    return creators


def _person(user: Dict[str, Any], field: str, errors: Errors) -> Any:
    """Validate a person, whose name is derived from its parts, or an organisation."""
    kind = user.get("type")
    if kind == "personal":
        family, given_name = user.get("family_name"), user.get("given_name")
        if not isinstance(family, str) or not family:
            return _add(errors, f"{field}.family_name", "Family name must be filled.")
        name = f"{family}, {given_name}" if given_name else family
        rest = {key: value for key, value in user.items() if key not in ("type", "name")}
        return {"type": kind, "name": name, **rest}
    if kind == "organizational":
        if not isinstance(user.get("name"), str) or not user["name"]:
            _add(errors, f"{field}.name", "Name cannot be blank.")
        return user
    message = _MISSING if kind is None else "Invalid value. Choose one of ['organizational', 'personal']."
    return _add(errors, f"{field}.type", message)


_CHECKS: Dict[str, Callable[[Any, str, Errors], Any]] = {
    **dict.fromkeys(_TEXTS, _text), **dict.fromkeys(_LISTS, _list),
    "locations": lambda value, field, errors: value, "title": _title, "publication_date": _date,
    "resource_type": _kind, "languages": _kinds, "creators": _creators,
}
