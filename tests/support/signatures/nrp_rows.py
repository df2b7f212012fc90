"""The NRP page's names for the signature table: methods, streams, attributes, and every form of a call."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from smartxfer import nrp
from smartxfer.nrp import errors, streams
from smartxfer.nrp.files import FilesClient
from smartxfer.nrp.records import RecordsClient
from tests.support.signatures.signature_row import parse_rows

_FILES = FilesClient
OWNERS = {"RepositoryClient": nrp.RepositoryClient, "files": FilesClient, "records": RecordsClient}

ROWS = parse_rows(
    """
get_client: url=None, alias=None | token, config, config_path, refresh, COMMON
limit_connections: count
RepositoryClient: url=None, alias=None | token, config_path, COMMON
RepositoryClient.get: endpoint, id=None | **params
RepositoryClient.put: endpoint, id=None | **params
RepositoryClient.post: endpoint, id=None | **params
RepositoryClient.delete: endpoint, id=None | **params
files.list: record_or_url
files.read: record_or_url, key=None
files.upload: record_or_url, key, metadata, source, transfer_type='local-file', transfer_metadata=None, progress=None \
| replace, parts, part_size, extra, cancel, deadline
files.download: file_or_url, *args | key, sink, parts, part_size, exists, progress, cancel, deadline
files.update: file
files.delete: record_or_file, key=None
records.create: data | model, community, workflow, strict, idempotent, files_enabled
records.read: record | model, status
records.publish: record | submit
streams.FileSource: path
streams.FileSink: path
streams.MemorySource: data, content_type='application/octet-stream'
streams.MemorySink:
""",
    nrp,
    {**OWNERS, "streams": streams},
)

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
    "key": "data.csv", "status": "completed", "size": 19, "checksum": "md5:0cc175b9c0f1b6a831c399e269772661",
    "mimetype": "text/csv", "metadata": {"description": "Dataset file"},
    "links": {"self": f"{_ADDRESS}/data.csv", "content": f"{_ADDRESS}/data.csv/content"},
}  # fmt: skip
_FILE = nrp.File.from_wire(ENTRY)
_RECORD = nrp.Record.from_wire({"id": "abc-123", "metadata": {"title": "T"}})
_MADE = nrp.get_client(_ADDRESS)

ATTRIBUTES = [
    (
        "File",
        _FILE,
        {name: ENTRY[name] for name in ("key", "size", "mimetype", "checksum", "metadata", "status")},
    ),
    ("File without metadata", nrp.File.from_wire({**ENTRY, "metadata": None}), {"metadata": {}}),
    ("File.links", _FILE.links, {"content": f"{_ADDRESS}/data.csv/content", "self_": f"{_ADDRESS}/data.csv"}),
    ("Record", _RECORD, {"id": "abc-123", "metadata": {"title": "T"}}),
    ("MemorySink", streams.MemorySink(), {"data": b""}),
    ("RepositoryClient", _MADE, {"files": _MADE.files, "records": _MADE.records}),
]

NAMES = {
    nrp: "File FileSink FileSource MemorySink MemorySource Record RepositoryClient RepositoryClientError"
    " RepositoryCommunicationError get_client limit_connections",
    streams: "FileSink FileSource MemorySink MemorySource",
    errors: "RepositoryClientError RepositoryCommunicationError",
}

#: Public methods and attributes that the page does not name, by class.
ADDED = {
    "RepositoryClient": "base_url close download download_many download_tree exists explain_credentials files"
    " from_environment get_repository_info info list records remove repository session sync upload upload_many"
    " upload_tree whoami",
    "files": "delete_all download_many sync_dir upload_many wait_fetch",
    "records": "delete draft_records edit_metadata import_files latest new_version next_page previous_page"
    " published_records retract_published scan search update versions with_model",
}
