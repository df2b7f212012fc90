"""What a draft may hold: fields that are wrong are dropped and told, those that miss hinder publishing.

Source: NRP protocol, section 4.
"""

import re
from typing import Any, Callable, Dict, List, Tuple

from smartxfer.local.nrp.answers import ApiError
from smartxfer.local.nrp.vocabularies import unknown_id

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


def accepted(body: Dict[str, Any], *, open_schema: bool) -> Tuple[Dict[str, Any], Errors]:
    """What is kept of a draft, and what was dropped.

    Members that are unknown, and a document without metadata, are no error.

    :param body: the document as it came.
    :param open_schema: whether any metadata will do.
    :raises ApiError: 400, the metadata names an entry that its vocabulary does not have.
    """
    errors: Errors = []
    given = body.get("metadata")
    metadata: Dict[str, Any] = {}
    if isinstance(given, dict):
        metadata = _metadata(given, errors, open_schema)
        errors += missing({"metadata": given}, open_schema=open_schema)
    elif given is not None:
        _add(errors, "metadata._schema", _WRONG_TYPE)
    id = None if open_schema else unknown_id(metadata)
    if id is not None:
        raise ApiError(400, f"Invalid value {id}.")
    errors.sort(key=lambda error: str(error["field"]))
    return {
        "metadata": metadata,
        "access": _access(body.get("access"), errors),
        "files": {"enabled": _enabled(body.get("files"), errors)},
        "custom_fields": _object(body.get("custom_fields"), "custom_fields", errors),
        "pids": _object(body.get("pids"), "pids", errors),
    }, errors


def missing(values: Dict[str, Any], *, open_schema: bool) -> Errors:
    """Mandatory metadata that are not there."""
    mandatory = ("title",) if open_schema else _MANDATORY
    return [
        {"field": f"metadata.{name}", "messages": [_MISSING]}
        for name in mandatory
        if name not in values["metadata"]
    ]


def _add(errors: Errors, field: str, message: str) -> Any:
    """Note a complaint; nothing is kept of the value."""
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
    given = value if isinstance(value, dict) else {}
    found: Dict[str, Any] = {}
    for name in ("files", "record"):
        word = given.get(name, "public")
        if word not in ("public", "restricted"):
            _add(errors, f"access.{name}", f"'{name}' must be either 'public' or 'restricted'")
            word = "public"
        found[name] = word
    embargo = given.get("embargo")
    if isinstance(embargo, dict) and embargo.get("active"):
        found["embargo"] = {key: embargo[key] for key in ("active", "until", "reason") if key in embargo}
    return found


def _metadata(given: Dict[str, Any], errors: Errors, open_schema: bool) -> Dict[str, Any]:
    kept: Dict[str, Any] = {}
    for name, value in given.items():
        field = f"metadata.{name}"
        if open_schema and name != "title":
            kept[name] = value
            continue
        before = len(errors)
        found = _CHECKS[name](value, field, errors) if name in _CHECKS else _add(errors, field, _UNKNOWN)
        if len(errors) == before:
            kept[name] = found
    return kept


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
    """Entries of a vocabulary, each by its id."""
    listed = _list(value, field, errors)
    return [_kind(one, f"{field}.{index}", errors) for index, one in enumerate(listed)]


def _creators(value: Any, field: str, errors: Errors) -> Any:
    if value == []:
        return _add(errors, field, _MISSING)
    found: List[Any] = []
    for index, creator in enumerate(_list(value, field, errors)):
        place = f"{field}.{index}.person_or_org"
        person = creator.get("person_or_org") if isinstance(creator, dict) else None
        if isinstance(person, dict):
            found.append({**creator, "person_or_org": _person(person, place, errors)})
        else:
            _add(errors, place, _MISSING)
    return found


def _person(person: Dict[str, Any], field: str, errors: Errors) -> Any:
    """A person's name is made of its parts; an organisation has one."""
    kind = person.get("type")
    if kind == "personal":
        family, given = person.get("family_name"), person.get("given_name")
        if not isinstance(family, str) or not family:
            return _add(errors, f"{field}.family_name", "Family name must be filled.")
        name = f"{family}, {given}" if given else family
        rest = {key: value for key, value in person.items() if key not in ("type", "name")}
        return {"type": kind, "name": name, **rest}
    if kind == "organizational":
        if not isinstance(person.get("name"), str) or not person["name"]:
            _add(errors, f"{field}.name", "Name cannot be blank.")
        return person
    message = _MISSING if kind is None else "Invalid value. Choose one of ['organizational', 'personal']."
    return _add(errors, f"{field}.type", message)


_CHECKS: Dict[str, Callable[[Any, str, Errors], Any]] = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_LISTS, _list),
    "locations": lambda value, field, errors: value,
    "title": _title,
    "publication_date": _date,
    "resource_type": _kind,
    "languages": _kinds,
    "creators": _creators,
}
