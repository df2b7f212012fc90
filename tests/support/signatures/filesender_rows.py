"""The names of the FileSender page for the signature table."""

from __future__ import annotations

from smartxfer import filesender
from tests.support.signatures.signature_row import parse_rows

_CLIENT = filesender.FileSenderClient
OWNERS = {"FileSenderClient": _CLIENT}

ROWS = parse_rows(
    """
FileSenderClient: base_url, chunk_size=None, auth=Auth(), concurrent_files=1, concurrent_chunks=2 | signing_host, COMMON
FileSenderClient.prepare:
FileSenderClient.create_guest: body | extra
FileSenderClient.upload_workflow: files, transfer_args={} \
| password, key_version, link, accept_aup, resume, follow_symlinks, max_workers, extra, progress, cancel, deadline
FileSenderClient.download_files: token, out_dir | files, password, key_version, exists, hidden, progress, cancel, deadline
FileSenderClient.get_server_info:
FileSenderClient.create_transfer: body | extra
FileSenderClient.update_transfer: transfer_id, body | extra
FileSenderClient.update_file: file_info, body | extra
FileSenderClient.upload_file: file_info, path | progress, cancel, deadline
FileSenderClient.download_file: token, file_id, out_dir, file_size=None, file_name=None \
| password, key_version, exists, hidden, progress, cancel, deadline
FileSenderClient.upload_complete: file_info, path | progress, cancel, deadline
UserAuth: username, api_key, delay=0
GuestAuth: guest_token, security_token=None, csrf_token=None
Auth:
""",
    filesender,
    OWNERS,
)

_URL = "http://127.0.0.1:1"
ATTRIBUTES = [
    (
        "client",
        _CLIENT(_URL),
        {"chunk_size": None, "auth": filesender.Auth(), "concurrent_files": 1, "concurrent_chunks": 2},
    ),
    (
        "another client",
        _CLIENT(_URL, 7, concurrent_chunks=None),
        {"chunk_size": 7, "concurrent_chunks": None},
    ),
    ("UserAuth", filesender.UserAuth("ann", "k3y", 60), {"username": "ann", "api_key": "k3y", "delay": 60}),
    (
        "GuestAuth",
        filesender.GuestAuth("v", "s", "c"),
        {"guest_token": "v", "security_token": "s", "csrf_token": "c"},
    ),
]

#: Types that the page links to, and ours: AuditEntry, Quota, Recipient and generate_password.
NAMES = {
    filesender: "Auth File FileSenderClient FileUpdate Guest GuestAuth PartialTransfer ServerInfo Transfer"
    " TransferUpdate UserAuth AuditEntry Quota Recipient generate_password"
}

#: Public methods and attributes that the page does not name.
ADDED = {
    "FileSenderClient": "base_url close delete download download_archive download_many download_tree exists"
    " explain_credentials from_environment get guests info list list_files post put quota remove session transfers"
    " upload upload_many upload_tree"
}
