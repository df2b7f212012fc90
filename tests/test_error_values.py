"""Errors made from other errors: the changed and the unchanged attributes."""

from __future__ import annotations

import errno
import pickle

from smartxfer.error_values import evolve_error, with_cause
from smartxfer.errors import Cancelled, DiskFull, HTTPError, LocalError, NotFound
from smartxfer.nrp.errors import RepositoryNotFoundError


def test_all_that_is_not_named_stays() -> None:
    error = RepositoryNotFoundError("no file", status=404, code="gone", details={"a": [1]})
    made = evolve_error(error, hint="list() tells which there are")
    assert type(made) is RepositoryNotFoundError
    assert made is not error
    assert str(made) == "no file (list() tells which there are)"
    assert (made.status, made.code, made.details) == (404, "gone", {"a": [1]})
    assert (error.own_hint, str(error)) == ("", f"no file ({NotFound.hint})")


def test_no_hint_is_a_hint_too() -> None:
    error = DiskFull("full")
    assert error.hint
    assert str(evolve_error(error, hint="")) == "full"


def test_another_class() -> None:
    generic: HTTPError = NotFound("no file", status=404, retryable=True)
    made = evolve_error(generic, RepositoryNotFoundError)
    assert type(made) is RepositoryNotFoundError
    assert (made.status, made.retryable) == (404, True)


def test_the_number_of_the_operating_system_stays() -> None:
    error = LocalError("full", errno=errno.ENOSPC)
    assert evolve_error(error, hint="free some").errno == errno.ENOSPC
    assert evolve_error(error, errno=errno.EDQUOT).errno == errno.EDQUOT
    assert pickle.loads(pickle.dumps(evolve_error(error, hint="free some"))).errno == errno.ENOSPC


def test_where_it_came_from_stays() -> None:
    why = KeyError("why")
    try:
        raise NotFound("gone") from why
    except NotFound as error:
        made = evolve_error(error, hint="look")
        assert made.__traceback__ is error.__traceback__
        assert made.__cause__ is why
        assert made.__suppress_context__


def test_a_cause_without_a_raise() -> None:
    why = RuntimeError("the callback")
    error = with_cause(Cancelled("stopped"), why)
    assert error.__cause__ is why
    assert with_cause(Cancelled("stopped"), None).__cause__ is None
