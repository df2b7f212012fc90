"""The NRP page's names for the signature table: methods, streams, attributes, and every form of a call."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from smartxfer import nrp
from smartxfer.nrp import errors, streams
from smartxfer.nrp.files import FilesClient
from smartxfer.nrp.records import RecordsClient
from tests.support.signatures.signature_row import COMMON, REQUIRED, Row

_WATCHED = ("progress", "cancel", "deadline")
_CLIENT, _FILES, _RECORDS = nrp.RepositoryClient, FilesClient, RecordsClient
_CALL = [("endpoint", REQUIRED), ("id", None)]
_PARAMS = ("**params",)

NRP = [
    Row("get_client", nrp.get_client, [("url", None), ("alias", None)], ("token", "config", "config_path", "refresh", *COMMON)),
    Row("limit_connections", nrp.limit_connections, [("count", REQUIRED)]),
    Row("RepositoryClient", _CLIENT, [("url", None), ("alias", None)], ("token", "config_path", *COMMON)),
    Row("RepositoryClient.get", _CLIENT.get, _CALL, _PARAMS),
    Row("RepositoryClient.put", _CLIENT.put, _CALL, _PARAMS),
    Row("RepositoryClient.post", _CLIENT.post, _CALL, _PARAMS),
    Row("RepositoryClient.delete", _CLIENT.delete, _CALL, _PARAMS),
    Row("files.list", _FILES.list, [("record_or_url", REQUIRED)]),
    Row("files.read", _FILES.read, [("record_or_url", REQUIRED), ("key", None)]),
    Row(
        "files.upload",
        _FILES.upload,
        [
            ("record_or_url", REQUIRED),
            ("key", REQUIRED),
            ("metadata", REQUIRED),
            ("source", REQUIRED),
            ("transfer_type", "local-file"),
            ("transfer_metadata", None),
            ("progress", None),
        ],
        ("replace", "parts", "part_size", "extra", "cancel", "deadline"),
    ),
    Row(
        "files.download",
        _FILES.download,
        [("file_or_url", REQUIRED), ("*args", REQUIRED)],
        ("key", "sink", "parts", "part_size", "exists", *_WATCHED),
    ),
    Row("files.update", _FILES.update, [("file", REQUIRED)]),
    Row("files.delete", _FILES.delete, [("record_or_file", REQUIRED), ("key", None)]),
    Row(
        "records.create",
        _RECORDS.create,
        [("data", REQUIRED)],
        ("model", "community", "workflow", "strict", "idempotent", "files_enabled"),
    ),
    Row("records.read", _RECORDS.read, [("record", REQUIRED)], ("model", "status")),
    Row("records.publish", _RECORDS.publish, [("record", REQUIRED)], ("submit",)),
    Row("streams.FileSource", streams.FileSource, [("path", REQUIRED)]),
    Row("streams.FileSink", streams.FileSink, [("path", REQUIRED)]),
    # The page leaves out what the original's constructor has.
    Row(
        "streams.MemorySource",
        streams.MemorySource,
        [("data", REQUIRED), ("content_type", "application/octet-stream")],
    ),
    Row("streams.MemorySink", streams.MemorySink),
]

_FILE_URL = "http://127.0.0.1:1/api/records/a/files/b"
#: The forms of the page's API reference: (method, arguments by place, arguments by name).
FORMS: List[Tuple[Any, Tuple[Any, ...], Dict[str, Any]]] = [
    (_FILES.list, ("record",), {}),
    (_FILES.read, (_FILE_URL,), {}),
    (_FILES.read, ("record", "key"), {}),
    (_FILES.upload, ("record",), {"key": "k", "metadata": {}, "source": "s"}),
    (_FILES.upload, ("record", "key", {}, "source", "local-file", None, None), {}),
    (_FILES.download, ("file", "sink"), {"parts": 4, "part_size": 1 << 20, "progress": "label"}),
    (_FILES.download, ("record", "key", "sink"), {"parts": None, "part_size": None, "progress": None}),
    (_FILES.download, ("record",), {"key": "k", "sink": "s"}),
    (_FILES.update, ("file",), {}),
    (_FILES.delete, ("record",), {"key": "k"}),
    (_FILES.delete, ("record", "key"), {}),
    (_FILES.delete, ("file",), {}),
    (_FILES.delete, (_FILE_URL,), {}),
]

_ADDRESS = "http://127.0.0.1:1"
#: An entry as a repository tells it.
ENTRY = {
    "key": "data.csv",
    "status": "completed",
    "size": 19,
    "checksum": "md5:0cc175b9c0f1b6a831c399e269772661",
    "mimetype": "text/csv",
    "metadata": {"description": "Dataset file"},
    "links": {"self": f"{_ADDRESS}/data.csv", "content": f"{_ADDRESS}/data.csv/content"},
}
_FILE = nrp.File.from_wire(ENTRY)
_RECORD = nrp.Record.from_wire({"id": "abc-123", "metadata": {"title": "T"}})
_MADE = nrp.get_client(_ADDRESS)

ATTRIBUTES = [
    ("File", _FILE, "key", "data.csv"),
    ("File", _FILE, "size", 19),
    ("File", _FILE, "mimetype", "text/csv"),
    ("File", _FILE, "checksum", "md5:0cc175b9c0f1b6a831c399e269772661"),
    ("File", _FILE, "metadata", {"description": "Dataset file"}),
    ("File", nrp.File.from_wire({**ENTRY, "metadata": None}), "metadata", {}),
    ("File", _FILE, "status", "completed"),
    ("File.links", _FILE.links, "content", f"{_ADDRESS}/data.csv/content"),
    ("File.links", _FILE.links, "self_", f"{_ADDRESS}/data.csv"),
    ("Record", _RECORD, "id", "abc-123"),
    ("Record", _RECORD, "metadata", {"title": "T"}),
    ("MemorySink", streams.MemorySink(), "data", b""),
    ("RepositoryClient", _MADE, "files", _MADE.files),
    ("RepositoryClient", _MADE, "records", _MADE.records),
]

NAMES = [
    *[
        (nrp, name)
        for name in (
            "File",
            "FileSink",
            "FileSource",
            "MemorySink",
            "MemorySource",
            "Record",
            "RepositoryClient",
            "RepositoryClientError",
            "RepositoryCommunicationError",
            "get_client",
            "limit_connections",
        )
    ],
    *[(streams, name) for name in ("FileSink", "FileSource", "MemorySink", "MemorySource")],
    *[(errors, name) for name in ("RepositoryClientError", "RepositoryCommunicationError")],
]

#: Public methods and attributes that the page does not name, by class.
ADDED = {
    _CLIENT: [
        "base_url",
        "close",
        "download",
        "download_many",
        "download_tree",
        "exists",
        "explain_credentials",
        "files",
        "from_environment",
        "get_repository_info",
        "info",
        "list",
        "records",
        "remove",
        "repository",
        "session",
        "sync",
        "upload",
        "upload_many",
        "upload_tree",
        "whoami",
    ],
    _FILES: ["delete_all", "download_many", "sync_dir", "upload_many", "wait_fetch"],
    _RECORDS: [
        "delete",
        "edit_metadata",
        "import_files",
        "latest",
        "new_version",
        "next_page",
        "previous_page",
        "published_records",
        "retract_published",
        "scan",
        "search",
        "update",
        "versions",
        "with_model",
    ],
}
#: How the table names the methods of each class.
OWNERS = {_CLIENT: "RepositoryClient", _FILES: "files", _RECORDS: "records"}
