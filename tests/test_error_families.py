"""Each service's own errors: their classes, their base classes, and pickling."""

from __future__ import annotations

import ast
import copy
import importlib
import pickle
from pathlib import Path
from typing import Any, Type

import pytest

import smartxfer
from smartxfer import errors
from smartxfer.error_families import GENERIC_ERRORS, SERVICE_ERROR_BASES
from smartxfer.errors import SmartxferError
from smartxfer.transfer.result import FileResult
from tests.support.error_families import FAMILIES, MODULES, NAMES, ROOTS, belongs

EVERY = [pytest.param(name, kind, id=f"{name}-{kind.__name__}") for name in FAMILIES for kind in SERVICE_ERROR_BASES]


@pytest.mark.parametrize(("name", "generic"), EVERY)
def test_a_service_mirrors_the_generic_tree(name: str, generic: Type[SmartxferError]) -> None:
    family, kind = FAMILIES[name], FAMILIES[name].class_for(generic)
    assert kind is not generic
    assert issubclass(kind, generic)
    assert issubclass(kind, family.root)
    for base in generic.__mro__[1:]:
        if base in SERVICE_ERROR_BASES:
            assert issubclass(kind, family.class_for(base))
    assert [other for other, family in FAMILIES.items() if issubclass(kind, family.root)] == [name]
    assert getattr(MODULES[name], kind.__name__) is kind
    for attribute in ("hint", "retryable", "may_have_been_processed"):
        assert getattr(kind, attribute) == getattr(generic, attribute)
    assert (kind.__doc__ or "").strip()
    assert not issubclass(kind, (OSError, ValueError))


@pytest.mark.parametrize(("name", "generic"), EVERY)
def test_a_pickle_keeps_class_message_hint_and_attributes(name: str, generic: Type[SmartxferError]) -> None:
    error = FAMILIES[name].convert(generic("what happened", hint="what to do", status=404, details={"a": [1]}))
    assert type(error) is FAMILIES[name].class_for(generic)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again: Any = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is type(error)
        assert again.__dict__ == error.__dict__ == {"hint": "what to do", "status": 404, "details": {"a": [1]}}
        assert str(again) == "what happened (what to do)"
    copied = copy.copy(error)
    assert (type(copied), copied.__dict__, copied.args) == (type(error), error.__dict__, error.args)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_roots_and_the_names_of_the_vendors(name: str) -> None:
    module, family = MODULES[name], FAMILIES[name]
    assert family.root is getattr(module, ROOTS[name])
    assert family.root.__bases__ == (SmartxferError,)
    for (service, known), generic in NAMES.items():
        if service == name:
            assert family.class_for(generic) is getattr(module, known)
    made = {kind.__name__ for kind in map(family.class_for, SERVICE_ERROR_BASES)}
    assert set(module.__all__) >= {known for known, kind in vars(module).items() if known in made and _written(kind)}
    assert family.class_for(SmartxferError) is SmartxferError


def _written(kind: Any) -> bool:
    """Return True if a class is written out in its module."""
    text = Path(importlib.import_module(kind.__module__).__file__ or "").read_text(encoding="utf-8")
    return f"class {kind.__name__}(" in text


def test_the_callers_own_errors_belong_to_no_service() -> None:
    outside = [getattr(errors, name) for name in errors.__all__ if getattr(errors, name) not in SERVICE_ERROR_BASES]
    assert {kind.__name__ for kind in outside if not issubclass(kind, errors.LocalError)} == {
        "SmartxferError", "UsageError", "ConfigError", "Cancelled", "DeadlineExceeded",
    }  # fmt: skip
    for kind in outside:
        error = kind("what happened")
        for family in FAMILIES.values():
            assert family.convert(error) is error


def test_an_error_of_another_service_stays_what_it_is() -> None:
    error = FAMILIES["nrp"].convert(errors.NotFound("gone"))
    for family in [*FAMILIES.values(), GENERIC_ERRORS]:
        assert family.convert(error) is error
    plain = errors.NotFound("gone")
    assert GENERIC_ERRORS.convert(plain) is plain
    other = KeyError("x")
    assert FAMILIES["nrp"].convert(other) is other


def test_where_it_came_from_and_why_are_kept() -> None:
    try:
        try:
            raise KeyError("why")
        except KeyError as why:
            raise errors.NotFound("gone") from why
    except errors.NotFound as error:
        made = FAMILIES["perseus"].convert(error)
        assert made.__cause__ is error.__cause__
        assert made.__context__ is error.__context__
        assert made.__suppress_context__
        assert made.__traceback__ is error.__traceback__


def test_a_batch_carries_errors_of_the_service() -> None:
    family = FAMILIES["nrp"]
    results = [FileResult("a"), FileResult("b", error=family.convert(errors.NotFound("gone", status=404)))]
    again = pickle.loads(pickle.dumps(family.convert(errors.BatchError("1 of 2", results=results))))
    belongs(again, "nrp", errors.BatchError)
    [one] = again.errors
    belongs(one, "nrp", errors.NotFound)
    assert one.status == 404


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_pickled_by_name(name: str) -> None:
    assert pickle.loads(pickle.dumps(FAMILIES[name])) is FAMILIES[name]
    assert pickle.loads(pickle.dumps(GENERIC_ERRORS)) is GENERIC_ERRORS


@pytest.mark.parametrize("name", FAMILIES)
def test_no_module_of_a_service_makes_a_generic_error(name: str) -> None:
    """Detect ``raise NotFound(...)`` in a service, because nothing converts it to the service's own class."""
    generic = {kind.__name__ for kind in SERVICE_ERROR_BASES}
    found = [
        f"{path.name}:{call.lineno} {call.func.id}"
        for path in (Path(smartxfer.__file__).parent / name).glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in generic
    ]
    assert found == []


def test_every_service_is_in_the_documentation() -> None:
    page = (Path(__file__).parent.parent / "docs" / "errors.rst").read_text(encoding="utf-8")
    for name, root in ROOTS.items():
        assert f"``smartxfer.{name}.errors``" in page
        assert root in page
    for service, known in NAMES:
        assert known in page, service
