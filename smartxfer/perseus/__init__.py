"""Client of the Perseus text-to-graph service: uploads of files through presigned URLs.

Source: Perseus protocol.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_imports import build_lazy_module_hooks

if TYPE_CHECKING:
    from smartxfer.perseus.client import PerseusClient
    from smartxfer.perseus.errors import APIException, ConfigurationException, PerseusException
    from smartxfer.perseus.models import File, FileStatus

__all__ = [
    "APIException",
    "ConfigurationException",
    "File",
    "FileStatus",
    "PerseusClient",
    "PerseusException",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = build_lazy_module_hooks(
        __name__,
        {
            "client": "PerseusClient",
            "errors": "APIException ConfigurationException PerseusException",
            "models": "File FileStatus",
        },
    )
