"""Every name of the vendors' pages is here, with the same parameters, in the same order, with the same defaults.

Added parameters are keyword-only.  The table lists them too, so that no parameter is added by accident.
"""

from __future__ import annotations

import inspect
from typing import Any, Dict, Tuple

import pytest

import smartxfer
from smartxfer import filesender, nrp, perseus, smartfile
from tests.support.signatures import filesender_rows, jetstream_rows, nrp_rows, perseus_rows, smartfile_rows
from tests.support.signatures.signature_row import Row, describe

#: A service joins here, with a module of its rows, attributes, names and methods.
TABLES = {
    "filesender": filesender_rows, "smartfile": smartfile_rows, "nrp": nrp_rows, "perseus": perseus_rows,
    "jetstream": jetstream_rows,
}  # fmt: skip
#: What ``smartxfer`` itself offers.
_TOP = (
    "BasicClient FileSenderClient GuestAuth JetStream OAuthClient PerseusClient RepositoryClient SmartxferError"
    " SyncClient UserAuth"
)
NAMES = {
    smartxfer: _TOP,
    **{module: names for table in TABLES.values() for module, names in table.NAMES.items()},
}
ROWS = [
    pytest.param(row, id=f"{service}-{row.name}") for service, table in TABLES.items() for row in table.ROWS
]
FORMS = [*nrp_rows.FORMS, *perseus_rows.FORMS, *jetstream_rows.FORMS]


@pytest.mark.parametrize("row", ROWS)
def test_parameters_order_and_defaults(row: Row) -> None:
    """Every added parameter is keyword-only, optional and listed."""
    assert describe(row.thing) == row.parameters
    assert not inspect.iscoroutinefunction(row.thing)
    assert not inspect.isasyncgenfunction(row.thing)


@pytest.mark.parametrize(
    ("thing", "values"),
    [
        pytest.param(thing, values, id=f"{service}-{name}")
        for service, table in TABLES.items()
        for name, thing, values in table.ATTRIBUTES
    ],
)
def test_attributes(thing: Any, values: Dict[str, Any]) -> None:
    assert {name: getattr(thing, name) for name in values} == values


@pytest.mark.parametrize("module", NAMES, ids=lambda module: module.__name__)
def test_names_are_public(module: Any) -> None:
    names = set(NAMES[module].split())
    assert names - {name for name in module.__all__ if getattr(module, name) is not None} == set()


@pytest.mark.parametrize(
    ("table", "owner"),
    [
        pytest.param(table, owner, id=f"{name}-{owner}")
        for name, table in TABLES.items()
        for owner in table.OWNERS
    ],
)
def test_no_method_was_forgotten(table: Any, owner: str) -> None:
    """A public method or attribute is in the table, or one of those that we added on purpose."""
    public = {name for name in dir(table.OWNERS[owner]) if not name.startswith("_")} - {"credential_spec"}
    listed = {row.name.rpartition(".")[2] for row in table.ROWS if row.name.startswith(f"{owner}.")} - {
        "__call__"
    }
    added = set(table.ADDED[owner].split())
    assert (public, listed & added) == (listed | added, set())


@pytest.mark.parametrize(
    ("method", "by_place", "by_name"),
    [pytest.param(*form, id=f"{form[0].__name__}-{number}") for number, form in enumerate(FORMS)],
)
def test_every_form_of_the_references_is_taken(
    method: Any, by_place: Tuple[Any, ...], by_name: Dict[str, Any]
) -> None:
    bound = inspect.signature(method).bind(None, *by_place, **by_name)
    assert set(by_name) <= set(bound.arguments)


#: (class, what it is)
KINDS = [
    (filesender.UserAuth, filesender.Auth),
    (filesender.GuestAuth, filesender.Auth),
    (smartfile.APIError, smartxfer.SmartxferError),
    (smartfile.RequestError, smartfile.APIError),
    (smartfile.ResponseError, smartfile.APIError),
    (nrp.RepositoryError, smartxfer.SmartxferError),
    (nrp.RepositoryCommunicationError, nrp.RepositoryError),
    (nrp.RepositoryClientError, nrp.RepositoryCommunicationError),
    (perseus.PerseusException, smartxfer.SmartxferError),
    (perseus.APIException, perseus.PerseusException),
    (perseus.ConfigurationException, perseus.PerseusException),
]


@pytest.mark.parametrize(("kind", "parent"), KINDS)
def test_kinds_of_errors_and_logins(kind: Any, parent: Any) -> None:
    assert issubclass(kind, parent)


def test_errors_that_are_distinct() -> None:
    assert not issubclass(smartfile.ResponseError, smartfile.RequestError)
    assert not issubclass(perseus.ConfigurationException, perseus.APIException)


def test_calling_a_client_is_get() -> None:
    assert smartfile.BasicClient.__call__ is smartfile.BasicClient.get
    assert smartfile.OAuthClient.__call__ is smartfile.OAuthClient.get


def test_drafts_are_records_too() -> None:
    records = nrp.get_client("http://127.0.0.1:1").records
    assert type(records.draft_records) is type(records)
