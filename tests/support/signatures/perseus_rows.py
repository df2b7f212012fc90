"""The Perseus page's names for the signature table: the client, its file service, and what those give."""

from __future__ import annotations

import datetime as dt
from typing import Any, Dict, List, Tuple

from smartxfer import perseus
from smartxfer.perseus.files import FileService
from tests.support.signatures.signature_row import parse_rows

OWNERS = {"PerseusClient": perseus.PerseusClient, "file": FileService}

ROWS = parse_rows(
    """
PerseusClient: api_host=None | api_key, COMMON
file.upload_file: file_path | wait, timeout, repair, grace, progress, cancel, deadline
file.create_file: name, source_hash
file.find_files: ids=None, source_hashes=None
file.find_file: id
file.delete_file: file_id
file.wait_for_file_upload: file_id, polling_interval=0.5, timeout=3600 | progress
""",
    perseus,
    OWNERS,
)

#: The forms in which the page's parameters may be given: (method, arguments by place, arguments by name).
FORMS: List[Tuple[Any, Tuple[Any, ...], Dict[str, Any]]] = [
    (FileService.upload_file, ("path",), {}),
    (FileService.upload_file, (), {"file_path": "path"}),
    (FileService.create_file, ("name", "hash"), {}),
    (FileService.create_file, (), {"name": "name", "source_hash": "hash"}),
    (FileService.find_files, (), {}),
    (FileService.find_files, (["id"], ["hash"]), {}),
    (FileService.find_files, (), {"ids": ["id"], "source_hashes": ["hash"]}),
    (FileService.find_file, (), {"id": "id"}),
    (FileService.delete_file, (), {"file_id": "id"}),
    (FileService.wait_for_file_upload, ("id", 0.5, 3600), {}),
    (FileService.wait_for_file_upload, (), {"file_id": "id", "polling_interval": 0.5, "timeout": 3600}),
]

_MOMENT = "2026-11-20T21:06:32.343Z"
_MADE = perseus.PerseusClient("http://127.0.0.1:1", api_key="k" * 20)
_SHOWN = {"id": "file-1", "name": "report.txt", "status": "uploaded"}
_FILE = perseus.File.from_wire({**_SHOWN, "createdAt": _MOMENT, "sourceHash": "a" * 64})

ATTRIBUTES = [
    ("PerseusClient", _MADE, {"file": _MADE.file}),
    ("File", _FILE, _SHOWN),
    ("File.status", _FILE, {"status": perseus.FileStatus.UPLOADED}),
    (
        "File.created_at",
        _FILE,
        {"created_at": dt.datetime(2026, 11, 20, 21, 6, 32, 343000, tzinfo=dt.timezone.utc)},
    ),
    ("FileStatus", perseus.FileStatus, {"PENDING": "pending", "UPLOADED": "uploaded", "FAILED": "failed"}),
]

NAMES = {perseus: "APIException ConfigurationException File FileStatus PerseusClient PerseusException"}

#: Public methods and attributes that the page does not name, by class.
ADDED = {
    "PerseusClient": "base_url close delete exists explain_credentials file from_environment get info list post put remove"
    " session sync upload upload_many upload_tree",
    "file": "exists sync_dir upload_many wait_for_file_uploads",
}
