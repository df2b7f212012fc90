"""The client of the Perseus service.

Source: Perseus protocol, sections A.1 and A.2.
"""

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence

import requests

from smartxfer.client import HTTPClient
from smartxfer.credentials import CredentialSpec
from smartxfer.errors import HTTPError
from smartxfer.missing_attributes import explain_missing_attributes
from smartxfer.os_text import FilePath
from smartxfer.perseus import verbs
from smartxfer.reprs import set_address
from smartxfer.secret_text import hide_method_arguments
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from smartxfer._system import Clock
    from smartxfer.client_options import CertFiles, Timeout, Verify
    from smartxfer.error_families import ErrorFamily
    from smartxfer.perseus.api import PerseusApi
    from smartxfer.perseus.files import FileService
    from smartxfer.transport import BufferedResponse, RequestSpec

__all__ = ["DEFAULT_HOST", "PerseusClient"]

DEFAULT_HOST = "https://oath.perseus.lettria.net"
log = logging.getLogger("smartxfer.credentials")

_HOST_VARIABLE = "PERSEUS_API_HOST"
_KEY_VARIABLES = ("PERSEUS_API_KEY", "LETTRIA_API_KEY")
#: Maximum size of a ``.env`` file: python-dotenv needs seconds to parse one of a megabyte.
_MAX_DOTENV_BYTES = 64 * 1024
_GRAPH_HINT = (
    "use perseus-client for graphs, jobs and ontologies; it can be installed, too, and finds uploaded files "
    "by their content"
)
#: Hints for the features of perseus-client that this client does not have.
_MISSING_NAME_HINTS = {
    **dict.fromkeys(["build_graph", "build_graph_async", "interlink", "interlink_async"], _GRAPH_HINT),
    **dict.fromkeys(["job", "ontology", "graph", "build", "rdflib", "cql", "ttl"], _GRAPH_HINT),
    **dict.fromkeys(["neo4j", "falkordb"], _GRAPH_HINT),
}


def _read_dotenv() -> Dict[str, str]:
    """Read the credentials from the ``.env`` file in the working directory."""
    from smartxfer.credentials import read_secret_file

    path = Path(".env")
    if path.is_dir():  # for example a virtual environment
        return {}
    try:
        file = read_secret_file(path, _MAX_DOTENV_BYTES)
    except FileNotFoundError:
        return {}
    from dotenv.parser import parse_stream

    variables: Dict[str, Optional[str]] = {}
    for binding in parse_stream(io.StringIO(file.text)):
        if binding.error:
            log.warning("credentials: line %d of .env is ignored: not NAME=value", binding.original.line)
        elif binding.key is not None:
            variables[binding.key] = binding.value
    fields = {"base_url": (_HOST_VARIABLE,), "api_key": _KEY_VARIABLES}
    values = {
        field: value
        for field, names in fields.items()
        for value in [next((variables[name] for name in names if variables.get(name)), None)]
        if value
    }
    if "api_key" in values:
        file.warn_if_shared()
    return values


@hide_method_arguments("api_key", "proxies")
@explain_missing_attributes(lambda kind, name: _MISSING_NAME_HINTS.get(name, ""))
class PerseusClient(HTTPClient):
    """Client that uploads files to the Perseus service, through presigned URLs.

    :param api_host: URL of the service; by default PERSEUS_API_HOST, from the environment or a ``.env`` file
        in the working directory, else ``https://oath.perseus.lettria.net``.
    :param api_key: by default PERSEUS_API_KEY, else the older LETTRIA_API_KEY, ``.env``, a profile, or the
        password of a netrc entry.

    The other parameters are settings of every client: :class:`~smartxfer.client_options.ClientOptions`.

    >>> with PerseusClient() as client:
    ...     file = client.file.upload_file("report.pdf", wait=True)
    ...     print(file.name, file.status)
    report.pdf uploaded

    Source: Perseus protocol.
    """

    credential_spec = CredentialSpec(
        service="perseus",
        fields={"base_url": _HOST_VARIABLE, "api_key": _KEY_VARIABLES},
        netrc={"api_key": "password"},
        secrets=frozenset({"api_key"}),
        read_config_file=_read_dotenv,
        config_file_label=".env",
        config_file_is_in_working_directory=True,
        defaults={"base_url": DEFAULT_HOST},
    )

    def __init__(
        self,
        api_host: Optional[str] = None,
        *,
        api_key: Optional[str] = None,
        timeout: "Timeout" = (15.0, 60.0),
        retry: RetryPolicy = RetryPolicy(),
        session: Optional[requests.Session] = None,
        verify: "Verify" = True,
        cert: "Optional[CertFiles]" = None,
        cert_origins: Sequence[str] = (),
        proxies: Optional[Mapping[str, str]] = None,
        max_workers: int = 4,
        profile: Optional[str] = None,
        netrcfile: Optional[FilePath] = None,
        clock: "Optional[Clock]" = None,
    ) -> None:
        from smartxfer.client_options import ClientOptions
        from smartxfer.perseus.files import FileService

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        super().__init__(api_host, options)
        self._api_key = api_key.strip() if api_key else None
        files = FileService(lambda: self._api, self._new_runner, self._max_workers)
        self._file = set_address(files, lambda: self._display_url)

    # -- the methods that all clients have --------------------------------------------------------------

    upload = verbs.upload
    upload_many = verbs.upload_many
    upload_tree = verbs.upload_tree
    list = verbs.list_files
    info = verbs.info
    exists = verbs.exists
    remove = verbs.remove
    sync = verbs.sync

    # -- namespaces -------------------------------------------------------------------------------------

    @property
    def file(self) -> "FileService":
        """The file service: upload_file, upload_many, sync_dir, create_file, find_files, delete_file, ..."""
        return self._file

    def _credential_args(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._base_url_arg, "api_key": self._api_key}

    # -- requests ---------------------------------------------------------------------------------------

    def _build_request(self, method: str, path: str, params: Mapping[str, Any]) -> "RequestSpec":
        from smartxfer.perseus.api import RAW_DELETE_SUCCESS, RAW_READ_SUCCESS, RAW_WRITE_SUCCESS

        if method in ("GET", "DELETE"):
            pairs = [(name, str(value)) for name, value in params.items()]
            success = RAW_READ_SUCCESS if method == "GET" else RAW_DELETE_SUCCESS
            return self._api.build_request(method, path, params=pairs, success=success)
        idempotent = True if path.endswith("/find") else None  # a search changes nothing, though it is a POST
        return self._api.build_request(
            method, path, dict(params), idempotent=idempotent, success=RAW_WRITE_SUCCESS
        )

    @property
    def _api(self) -> "PerseusApi":
        from smartxfer.perseus.api import PerseusApi
        from smartxfer.transport.auth import build_bearer_auth

        key = self._credentials.require("api_key")["api_key"]
        return PerseusApi(self._http, self.base_url, build_bearer_auth(key))

    @property
    def _error_family(self) -> "ErrorFamily":
        from smartxfer.perseus.errors import ERRORS

        return ERRORS

    def _build_error(self, response: "BufferedResponse", method: str, url: str) -> HTTPError:
        from smartxfer.perseus.errors import build_error

        return build_error(response, method, url, policy=self._retry, clock=self._clock)
