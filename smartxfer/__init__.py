"""smartxfer: reliable uploads and downloads with five file transfer services.

The names below are imported on first use, so that one service does not need the modules of the others.
"""

import importlib
import logging
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from smartxfer.errors import SmartxferError
    from smartxfer.filesender import Auth, FileSenderClient, GuestAuth, UserAuth
    from smartxfer.jetstream import JetStream, JetStreamClient
    from smartxfer.nrp import RepositoryClient, get_client
    from smartxfer.perseus import PerseusClient
    from smartxfer.smartfile import (
        APIError,
        BasicClient,
        OAuthClient,
        RequestError,
        ResponseError,
        SyncClient,
    )
    from smartxfer.transfer.result import FileResult, SyncReport, TransferReport
    from smartxfer.transport import RetryPolicy

__all__ = [
    "APIError",
    "Auth",
    "BasicClient",
    "FileResult",
    "FileSenderClient",
    "GuestAuth",
    "JetStream",
    "JetStreamClient",
    "OAuthClient",
    "PerseusClient",
    "RepositoryClient",
    "RequestError",
    "ResponseError",
    "RetryPolicy",
    "SmartxferError",
    "SyncClient",
    "SyncReport",
    "TransferReport",
    "UserAuth",
    "__version__",
    "get_client",
]

__version__ = "0.1.0"

# Without handlers of the program, the log records of a library must not be printed.
logging.getLogger("smartxfer").addHandler(logging.NullHandler())

_MODULE_BY_NAME = {
    "APIError": "smartxfer.smartfile",
    "Auth": "smartxfer.filesender",
    "BasicClient": "smartxfer.smartfile",
    "FileResult": "smartxfer.transfer.result",
    "FileSenderClient": "smartxfer.filesender",
    "GuestAuth": "smartxfer.filesender",
    "JetStream": "smartxfer.jetstream",
    "JetStreamClient": "smartxfer.jetstream",
    "OAuthClient": "smartxfer.smartfile",
    "PerseusClient": "smartxfer.perseus",
    "RepositoryClient": "smartxfer.nrp",
    "RequestError": "smartxfer.smartfile",
    "ResponseError": "smartxfer.smartfile",
    "RetryPolicy": "smartxfer.transport",
    "SmartxferError": "smartxfer.errors",
    "SyncClient": "smartxfer.smartfile",
    "SyncReport": "smartxfer.transfer.result",
    "TransferReport": "smartxfer.transfer.result",
    "UserAuth": "smartxfer.filesender",
    "get_client": "smartxfer.nrp",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_BY_NAME:
        raise AttributeError(f"module 'smartxfer' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_BY_NAME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted(__all__)
