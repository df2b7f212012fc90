"""FileSender: send files to people by mail or link, and fetch what was sent.

Source: FileSender protocol.
"""

from smartxfer.filesender.auth import Auth, GuestAuth, UserAuth
from smartxfer.filesender.client import FileSenderClient
from smartxfer.filesender.models import DownloadFile, File, Guest, Recipient, ServerInfo, Transfer
from smartxfer.filesender.request_types import FileUpdate, PartialTransfer, TransferUpdate

__all__ = [
    "Auth",
    "DownloadFile",
    "File",
    "FileSenderClient",
    "FileUpdate",
    "Guest",
    "GuestAuth",
    "PartialTransfer",
    "Recipient",
    "ServerInfo",
    "Transfer",
    "TransferUpdate",
    "UserAuth",
]
