"""Client of SmartFile: files of an account, addressed by path, and delta synchronisation.

Source: SmartFile protocol.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_imports import build_lazy_module_hooks

if TYPE_CHECKING:
    from smartxfer.smartfile.auth import OAuthToken
    from smartxfer.smartfile.basic import BasicClient
    from smartxfer.smartfile.errors import APIError, RequestError, ResponseError
    from smartxfer.smartfile.models import Info, Link, Task
    from smartxfer.smartfile.oauth import OAuthClient
    from smartxfer.smartfile.sync import SyncClient

__all__ = [
    "APIError",
    "BasicClient",
    "Info",
    "Link",
    "OAuthClient",
    "OAuthToken",
    "RequestError",
    "ResponseError",
    "SyncClient",
    "Task",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = build_lazy_module_hooks(
        __name__,
        {
            "auth": "OAuthToken",
            "basic": "BasicClient",
            "errors": "APIError RequestError ResponseError",
            "models": "Info Link Task",
            "oauth": "OAuthClient",
            "sync": "SyncClient",
        },
    )
