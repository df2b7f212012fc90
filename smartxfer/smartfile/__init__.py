"""SmartFile: files in an account, by path, and their synchronisation by deltas.

Source: SmartFile protocol.
"""

from smartxfer.smartfile.basic import BasicClient
from smartxfer.smartfile.errors import APIError, RequestError, ResponseError
from smartxfer.smartfile.models import Info, Link, Task
from smartxfer.smartfile.oauth import OAuthClient, OAuthToken
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
