"""FileSender: send files to people by mail or link, and fetch what was sent.

Source: FileSender protocol.
"""

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
