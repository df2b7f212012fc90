"""The Perseus page's names for the signature table: the client, its file service, and what those give."""

from __future__ import annotations

import datetime as dt
from typing import Any, Dict, List, Tuple

from smartxfer import perseus
from smartxfer.perseus.files import FileService
from tests.support.signatures.signature_row import COMMON, REQUIRED, Row

_CLIENT = perseus.PerseusClient
_UPLOAD = ("wait", "timeout", "repair", "grace", "progress", "cancel", "deadline")

PERSEUS = [
    Row("PerseusClient", _CLIENT, [("api_host", None)], ("api_key", *COMMON)),
    Row("file.upload_file", FileService.upload_file, [("file_path", REQUIRED)], _UPLOAD),
    Row("file.create_file", FileService.create_file, [("name", REQUIRED), ("source_hash", REQUIRED)]),
    Row("file.find_files", FileService.find_files, [("ids", None), ("source_hashes", None)]),
    Row("file.find_file", FileService.find_file, [("id", REQUIRED)]),
    Row("file.delete_file", FileService.delete_file, [("file_id", REQUIRED)]),
    Row(
        "file.wait_for_file_upload",
        FileService.wait_for_file_upload,
        [("file_id", REQUIRED), ("polling_interval", 0.5), ("timeout", 3600)],
        ("progress",),
    ),
]

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

_ADDRESS = "http://127.0.0.1:1"
_FILE = perseus.File.from_wire(
    {
        "id": "file-1",
        "name": "report.txt",
        "status": "uploaded",
        "createdAt": "2026-11-20T21:06:32.343Z",
        "sourceHash": "a" * 64,
    }
)
_MADE = _CLIENT(_ADDRESS, api_key="k" * 20)

ATTRIBUTES = [
    ("PerseusClient", _MADE, "file", _MADE.file),
    ("File", _FILE, "id", "file-1"),
    ("File", _FILE, "name", "report.txt"),
    ("File", _FILE, "status", "uploaded"),
    ("File", _FILE, "status", perseus.FileStatus.UPLOADED),
    ("File", _FILE, "created_at", dt.datetime(2026, 11, 20, 21, 6, 32, 343000, tzinfo=dt.timezone.utc)),
    ("FileStatus", perseus.FileStatus, "PENDING", "pending"),
    ("FileStatus", perseus.FileStatus, "UPLOADED", "uploaded"),
    ("FileStatus", perseus.FileStatus, "FAILED", "failed"),
]

NAMES = [
    (perseus, name)
    for name in (
        "APIException",
        "ConfigurationException",
        "File",
        "FileStatus",
        "PerseusClient",
        "PerseusException",
    )
]

#: Public methods and attributes that the page does not name, by class.
ADDED = {
    _CLIENT: [
        "base_url",
        "close",
        "delete",
        "exists",
        "explain_credentials",
        "file",
        "from_environment",
        "get",
        "info",
        "list",
        "post",
        "put",
        "remove",
        "session",
        "sync",
        "upload",
        "upload_many",
        "upload_tree",
    ],
    FileService: ["exists", "sync_dir", "upload_many", "wait_for_file_uploads"],
}
#: How the table names the methods of each class.
OWNERS = {_CLIENT: "PerseusClient", FileService: "file"}
