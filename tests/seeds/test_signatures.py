"""Every name of the vendors' pages is here, with the same parameters, in the same order, with the same defaults.

Added parameters are keyword-only.  The table lists them too, so that no parameter is added by accident.
"""

from __future__ import annotations

import inspect
from typing import Any, Callable, Dict, List, Tuple

import pytest

import smartxfer
from smartxfer import filesender, nrp, perseus, smartfile
from smartxfer.smartfile import sync
from tests.support.signatures import jetstream_rows, nrp_rows, perseus_rows
from tests.support.signatures.signature_row import COMMON, REQUIRED, Row

_WATCHED = ("progress", "cancel", "deadline")
_CLIENT = filesender.FileSenderClient

FILESENDER = [
    Row(
        "FileSenderClient",
        _CLIENT,
        [
            ("base_url", REQUIRED),
            ("chunk_size", None),
            ("auth", filesender.Auth()),
            ("concurrent_files", 1),
            ("concurrent_chunks", 2),
        ],
        ("signing_host", *COMMON),
    ),
    Row("FileSenderClient.prepare", _CLIENT.prepare),
    Row("FileSenderClient.create_guest", _CLIENT.create_guest, [("body", REQUIRED)], ("extra",)),
    Row(
        "FileSenderClient.upload_workflow",
        _CLIENT.upload_workflow,
        [("files", REQUIRED), ("transfer_args", {})],
        ("password", "key_version", "link", "accept_aup", "resume", "follow_symlinks", "max_workers", "extra", *_WATCHED),
    ),
    Row(
        "FileSenderClient.download_files",
        _CLIENT.download_files,
        [("token", REQUIRED), ("out_dir", REQUIRED)],
        ("files", "password", "key_version", "exists", "hidden", *_WATCHED),
    ),
    Row("FileSenderClient.get_server_info", _CLIENT.get_server_info),
    Row("FileSenderClient.create_transfer", _CLIENT.create_transfer, [("body", REQUIRED)], ("extra",)),
    Row(
        "FileSenderClient.update_transfer",
        _CLIENT.update_transfer,
        [("transfer_id", REQUIRED), ("body", REQUIRED)],
        ("extra",),
    ),
    Row(
        "FileSenderClient.update_file",
        _CLIENT.update_file,
        [("file_info", REQUIRED), ("body", REQUIRED)],
        ("extra",),
    ),
    Row(
        "FileSenderClient.upload_file",
        _CLIENT.upload_file,
        [("file_info", REQUIRED), ("path", REQUIRED)],
        _WATCHED,
    ),
    Row(
        "FileSenderClient.download_file",
        _CLIENT.download_file,
        [
            ("token", REQUIRED),
            ("file_id", REQUIRED),
            ("out_dir", REQUIRED),
            ("file_size", None),
            ("file_name", None),
        ],
        ("password", "key_version", "exists", "hidden", *_WATCHED),
    ),
    Row(
        "FileSenderClient.upload_complete",
        _CLIENT.upload_complete,
        [("file_info", REQUIRED), ("path", REQUIRED)],
        _WATCHED,
    ),
    Row("UserAuth", filesender.UserAuth, [("username", REQUIRED), ("api_key", REQUIRED), ("delay", 0)]),
    Row(
        "GuestAuth",
        filesender.GuestAuth,
        [("guest_token", REQUIRED), ("security_token", None), ("csrf_token", None)],
    ),
    Row("Auth", filesender.Auth),
]

#: What the page leaves to raw calls.
_CARE = ["quota"]

_BASIC, _OAUTH, _SYNC = smartfile.BasicClient, smartfile.OAuthClient, smartfile.SyncClient
_CALL = [("endpoint", REQUIRED), ("id", None)]
_PARAMS = ("**params",)
_SITE = ("url", "version", "throttle_wait")

SMARTFILE = [
    Row("BasicClient", _BASIC, [("key", None), ("password", None)], (*_SITE, *COMMON)),
    Row("BasicClient.__call__", _BASIC.__call__, _CALL, _PARAMS),
    Row("BasicClient.get", _BASIC.get, _CALL, _PARAMS),
    Row("BasicClient.put", _BASIC.put, _CALL, _PARAMS),
    Row("BasicClient.post", _BASIC.post, _CALL, _PARAMS),
    Row("BasicClient.delete", _BASIC.delete, _CALL, _PARAMS),
    Row(
        "OAuthClient",
        _OAUTH,
        [("client_token", None), ("client_secret", None), ("access_token", None), ("access_secret", None)],
        (*_SITE, *COMMON),
    ),
    Row("OAuthClient.__call__", _OAUTH.__call__, _CALL, _PARAMS),
    Row("OAuthClient.get", _OAUTH.get, _CALL, _PARAMS),
    Row("OAuthClient.put", _OAUTH.put, _CALL, _PARAMS),
    Row("OAuthClient.post", _OAUTH.post, _CALL, _PARAMS),
    Row("OAuthClient.delete", _OAUTH.delete, _CALL, _PARAMS),
    Row("OAuthClient.get_request_token", _OAUTH.get_request_token, [("callback", None)]),
    Row("OAuthClient.get_authorization_url", _OAUTH.get_authorization_url, [("request", None)]),
    Row("OAuthClient.get_access_token", _OAUTH.get_access_token, [("request", None), ("verifier", None)]),
    Row("SyncClient", _SYNC, [("api", REQUIRED)]),
    Row("SyncClient.upload", _SYNC.upload, [("local", REQUIRED), ("remote", REQUIRED)], _WATCHED),
    Row(
        "SyncClient.download",
        _SYNC.download,
        [("local", REQUIRED), ("remote", REQUIRED)],
        ("exists", *_WATCHED),
    ),
]

#: A service joins here: its rows, its attributes, its types.
SERVICES: Dict[str, List[Row]] = {
    "filesender": FILESENDER,
    "smartfile": SMARTFILE,
    "nrp": nrp_rows.NRP,
    "perseus": perseus_rows.PERSEUS,
    "jetstream": jetstream_rows.JETSTREAM,
}

_URL = "http://127.0.0.1:1"

#: (what it is, the object, its attribute, the value that it has)
ATTRIBUTES = [
    ("filesender client", _CLIENT(_URL), "chunk_size", None),
    ("filesender client", _CLIENT(_URL), "auth", filesender.Auth()),
    ("filesender client", _CLIENT(_URL), "concurrent_files", 1),
    ("filesender client", _CLIENT(_URL), "concurrent_chunks", 2),
    ("filesender client", _CLIENT(_URL, 7, concurrent_chunks=None), "chunk_size", 7),
    ("filesender client", _CLIENT(_URL, concurrent_chunks=None), "concurrent_chunks", None),
    ("UserAuth", filesender.UserAuth("ann", "k3y"), "username", "ann"),
    ("UserAuth", filesender.UserAuth("ann", "k3y"), "api_key", "k3y"),
    ("UserAuth", filesender.UserAuth("ann", "k3y", 60), "delay", 60),
    ("GuestAuth", filesender.GuestAuth("v"), "guest_token", "v"),
    ("GuestAuth", filesender.GuestAuth("v", "s", "c"), "security_token", "s"),
    ("GuestAuth", filesender.GuestAuth("v", "s", "c"), "csrf_token", "c"),
    *nrp_rows.ATTRIBUTES,
    *perseus_rows.ATTRIBUTES,
    *jetstream_rows.ATTRIBUTES,
]

#: (module, name): types that the pages link to, and what ``smartxfer`` itself offers.
NAMES = [
    *[
        (filesender, name)
        for name in (
            "Auth",
            "File",
            "FileSenderClient",
            "FileUpdate",
            "Guest",
            "GuestAuth",
            "PartialTransfer",
            "ServerInfo",
            "Transfer",
            "TransferUpdate",
            "UserAuth",
            # Ours.
            "AuditEntry",
            "Quota",
            "Recipient",
            "generate_password",
        )
    ],
    *[
        (smartfile, name)
        for name in ("APIError", "BasicClient", "OAuthClient", "RequestError", "ResponseError", "SyncClient")
    ],
    (sync, "SyncClient"),
    *nrp_rows.NAMES,
    *perseus_rows.NAMES,
    *jetstream_rows.NAMES,
    *[
        (smartxfer, name)
        for name in (
            "BasicClient",
            "FileSenderClient",
            "GuestAuth",
            "JetStream",
            "OAuthClient",
            "PerseusClient",
            "RepositoryClient",
            "SmartxferError",
            "SyncClient",
            "UserAuth",
        )
    ],
]

ROWS = [pytest.param(row, id=f"{service}-{row.name}") for service, rows in SERVICES.items() for row in rows]


def _split(thing: Callable[..., Any]) -> Tuple[List[Tuple[str, Any]], List[str], List[str]]:
    """(parameters that may be given by place, keyword-only ones, keyword-only ones without a default)."""
    by_place, by_name, demanded = [], [], []
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            by_name.append(f"**{parameter.name}")
        elif parameter.kind is parameter.VAR_POSITIONAL:
            by_place.append((f"*{parameter.name}", parameter.default))
        elif parameter.kind is parameter.KEYWORD_ONLY:
            by_name.append(parameter.name)
            if parameter.default is REQUIRED:
                demanded.append(parameter.name)
        else:
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD, parameter
            by_place.append((parameter.name, parameter.default))
    return by_place, by_name, demanded


@pytest.mark.parametrize("row", ROWS)
def test_parameters_order_and_defaults(row: Row) -> None:
    by_place, _, _ = _split(row.thing)
    assert by_place == list(row.parameters)


@pytest.mark.parametrize("row", ROWS)
def test_what_we_add_is_keyword_only_optional_and_listed(row: Row) -> None:
    _, by_name, demanded = _split(row.thing)
    assert by_name == list(row.ours)
    assert demanded == []


@pytest.mark.parametrize("row", ROWS)
def test_every_name_is_a_blocking_call(row: Row) -> None:
    assert not inspect.iscoroutinefunction(row.thing)
    assert not inspect.isasyncgenfunction(row.thing)


@pytest.mark.parametrize(
    ("thing", "name", "value"),
    [pytest.param(thing, name, value, id=f"{what}.{name}") for what, thing, name, value in ATTRIBUTES],
)
def test_attributes(thing: Any, name: str, value: Any) -> None:
    assert getattr(thing, name) == value


@pytest.mark.parametrize(
    ("module", "name"), [pytest.param(module, name, id=f"{module.__name__}.{name}") for module, name in NAMES]
)
def test_names_are_public(module: Any, name: str) -> None:
    assert getattr(module, name) is not None
    assert name in module.__all__


@pytest.mark.parametrize("auth", [filesender.UserAuth, filesender.GuestAuth])
def test_the_ways_to_authenticate_are_of_one_kind(auth: Any) -> None:
    assert issubclass(auth, filesender.Auth)


def test_no_method_of_the_table_was_forgotten() -> None:
    """A public call of the client is in the table, or one of those that we added on purpose."""
    added = set(_CARE) | {"close", "delete", "download_archive", "explain_credentials", "from_environment"}
    added |= {"get", "list_files", "post", "put", *_VERBS} - {"sync"}
    public = {name for name, _ in inspect.getmembers(_CLIENT, callable) if not name.startswith("_")}
    listed = {row.name.rpartition(".")[2] for row in FILESENDER if "." in row.name}
    assert public == listed | added


#: What all clients share, as far as a service can do it.
_VERBS = [
    "download", "download_many", "download_tree", "exists", "info", "list", "remove", "sync",
    "upload", "upload_many", "upload_tree",
]  # fmt: skip
_WORKFLOWS = [
    *_VERBS,
    "checksum", "close", "copy", "create_link", "delete_link", "explain_credentials",
    "from_environment", "links", "listdir", "mkdir", "move", "move_into", "rename", "stat", "wait",
    "walk",
]  # fmt: skip


@pytest.mark.parametrize(
    ("client", "added"),
    [(_BASIC, _WORKFLOWS), (_OAUTH, _WORKFLOWS), (_SYNC, ["close", "download_tree", "from_environment", "upload_tree"])],
)
def test_no_method_of_smartfile_was_forgotten(client: Any, added: List[str]) -> None:
    """As above: what the page does not name was added on purpose."""
    public = {name for name, _ in inspect.getmembers(client, callable) if not name.startswith("_")}
    rows = [row.name.partition(".") for row in SMARTFILE]
    listed = {method for owner, _, method in rows if owner == client.__name__ and method} - {"__call__"}
    assert public == listed | set(added)
    assert listed.isdisjoint(added)


def test_the_errors_of_smartfile_stand_in_our_tree() -> None:
    assert issubclass(smartfile.APIError, smartxfer.SmartxferError)
    assert issubclass(smartfile.RequestError, smartfile.APIError)
    assert issubclass(smartfile.ResponseError, smartfile.APIError)
    assert not issubclass(smartfile.ResponseError, smartfile.RequestError)


def test_calling_a_client_is_get() -> None:
    assert _BASIC.__call__ is _BASIC.get
    assert _OAUTH.__call__ is _OAUTH.get


@pytest.mark.parametrize(
    ("table", "rows", "owner"),
    [
        pytest.param(table, rows, owner, id=name)
        for table, rows in (
            (nrp_rows, nrp_rows.NRP),
            (perseus_rows, perseus_rows.PERSEUS),
            (jetstream_rows, jetstream_rows.JETSTREAM),
        )
        for owner, name in table.OWNERS.items()
    ],
)
def test_no_method_was_forgotten(table: Any, rows: List[Row], owner: Any) -> None:
    """As above, for each class of the clients of NRP, Perseus and JetStream."""
    attributes = {"draft_records", "credential_spec"}
    public = {name for name in dir(owner) if not name.startswith("_")} - attributes
    named = [row.name.partition(".") for row in rows]
    listed = {method for name, _, method in named if name == table.OWNERS[owner] and method}
    assert public == listed | set(table.ADDED[owner])
    assert listed.isdisjoint(table.ADDED[owner])


@pytest.mark.parametrize(
    ("method", "by_place", "by_name"),
    [
        pytest.param(method, by_place, by_name, id=f"{method.__name__}-{number}")
        for number, (method, by_place, by_name) in enumerate(
            [*nrp_rows.FORMS, *perseus_rows.FORMS, *jetstream_rows.FORMS]
        )
    ],
)
def test_every_form_of_the_references_is_taken(
    method: Any, by_place: Tuple[Any, ...], by_name: Dict[str, Any]
) -> None:
    bound = inspect.signature(method).bind(None, *by_place, **by_name)
    assert set(by_name) <= set(bound.arguments)


def test_drafts_are_records_too() -> None:
    records = nrp.get_client(_URL).records
    assert type(records.draft_records) is type(records)


def test_the_errors_of_nrp_stand_in_our_tree() -> None:
    assert issubclass(nrp.RepositoryError, smartxfer.SmartxferError)
    assert issubclass(nrp.RepositoryCommunicationError, nrp.RepositoryError)
    assert issubclass(nrp.RepositoryClientError, nrp.RepositoryCommunicationError)


def test_the_errors_of_perseus_stand_in_our_tree() -> None:
    assert issubclass(perseus.PerseusException, smartxfer.SmartxferError)
    assert issubclass(perseus.APIException, perseus.PerseusException)
    assert issubclass(perseus.ConfigurationException, perseus.PerseusException)
    assert not issubclass(perseus.ConfigurationException, perseus.APIException)
