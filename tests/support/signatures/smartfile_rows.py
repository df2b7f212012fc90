"""The names of the SmartFile page for the signature table."""

from __future__ import annotations

from typing import Any, List

from smartxfer import smartfile
from smartxfer.smartfile import sync
from tests.support.signatures.signature_row import parse_rows

OWNERS = {
    "BasicClient": smartfile.BasicClient,
    "OAuthClient": smartfile.OAuthClient,
    "SyncClient": smartfile.SyncClient,
}

ROWS = parse_rows(
    """
BasicClient: key=None, password=None | url, version, throttle_wait, COMMON
BasicClient.__call__: endpoint, id=None | **params
BasicClient.get: endpoint, id=None | **params
BasicClient.put: endpoint, id=None | **params
BasicClient.post: endpoint, id=None | **params
BasicClient.delete: endpoint, id=None | **params
OAuthClient: client_token=None, client_secret=None, access_token=None, access_secret=None \
| url, version, throttle_wait, COMMON
OAuthClient.__call__: endpoint, id=None | **params
OAuthClient.get: endpoint, id=None | **params
OAuthClient.put: endpoint, id=None | **params
OAuthClient.post: endpoint, id=None | **params
OAuthClient.delete: endpoint, id=None | **params
OAuthClient.get_request_token: callback=None
OAuthClient.get_authorization_url: request=None
OAuthClient.get_access_token: request=None, verifier=None
SyncClient: api
SyncClient.upload: local, remote | progress, cancel, deadline
SyncClient.download: local, remote | exists, progress, cancel, deadline
""",
    smartfile,
    OWNERS,
)

ATTRIBUTES: List[Any] = []

NAMES = {
    smartfile: "APIError BasicClient OAuthClient RequestError ResponseError SyncClient",
    sync: "SyncClient",
}

_WORKFLOWS = (
    "base_url checksum close copy create_link delete_link download download_many download_tree exists"
    " explain_credentials from_environment info links list listdir mkdir move move_into remove rename session stat sync"
    " upload upload_many upload_tree url wait walk"
)
#: Public methods and attributes that the page does not name, by class.
ADDED = {
    "BasicClient": f"{_WORKFLOWS} key", "OAuthClient": _WORKFLOWS,
    "SyncClient": "close download_tree from_environment upload_tree",
}  # fmt: skip
