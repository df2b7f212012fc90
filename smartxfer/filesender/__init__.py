"""FileSender client: send files to recipients by mail or link, and download received files.

Source: FileSender protocol.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_imports import build_lazy_module_hooks

if TYPE_CHECKING:
    from smartxfer.filesender.auth import Auth, GuestAuth, UserAuth
    from smartxfer.filesender.client import FileSenderClient
    from smartxfer.filesender.encryption import generate_password
    from smartxfer.filesender.models import (
        AuditEntry,
        DownloadFile,
        File,
        Guest,
        Quota,
        Recipient,
        ServerInfo,
        Transfer,
    )
    from smartxfer.filesender.request_types import FileUpdate, PartialTransfer, TransferUpdate

__all__ = [
    "AuditEntry",
    "Auth",
    "DownloadFile",
    "File",
    "FileSenderClient",
    "FileUpdate",
    "Guest",
    "GuestAuth",
    "PartialTransfer",
    "Quota",
    "Recipient",
    "ServerInfo",
    "Transfer",
    "TransferUpdate",
    "UserAuth",
    "generate_password",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = build_lazy_module_hooks(
        __name__,
        {
            "auth": "Auth GuestAuth UserAuth",
            "client": "FileSenderClient",
            "encryption": "generate_password",
            "models": "AuditEntry DownloadFile File Guest Quota Recipient ServerInfo Transfer",
            "request_types": "FileUpdate PartialTransfer TransferUpdate",
        },
    )
