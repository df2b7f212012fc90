"""The client of the Perseus service.

Source: Perseus protocol, sections A.1 and A.2.
"""

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence

import requests

from smartxfer.absent import explains_absent
from smartxfer.client import HTTPClient
from smartxfer.credentials import ServiceNames
from smartxfer.errors import HTTPError
from smartxfer.perseus import verbs
from smartxfer.reprs import with_address
from smartxfer.secret_text import hides
from smartxfer.system_text import FilePath
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from smartxfer.client_options import CertFiles, Timeout, Verify
    from smartxfer.error_families import ErrorFamily
    from smartxfer.perseus.calls import Calls
    from smartxfer.perseus.service import FileService
    from smartxfer.seams import Clock
    from smartxfer.transport import Answer, Call

__all__ = ["DEFAULT_HOST", "PerseusClient"]

DEFAULT_HOST = "https://oath.perseus.lettria.net"
log = logging.getLogger("smartxfer.credentials")

_HOST = "PERSEUS_API_HOST"
_KEYS = ("PERSEUS_API_KEY", "LETTRIA_API_KEY")
#: Bytes of the largest ``.env`` file: python-dotenv needs seconds for one of a megabyte.
_DOTENV = 64 * 1024
_GRAPHS = (
    "perseus-client has graphs, jobs and ontologies; it can be installed beside, and knows an uploaded file "
    "by its content"
)
#: What the original has besides files.
_ELSEWHERE = {
    **dict.fromkeys(["build_graph", "build_graph_async", "interlink", "interlink_async"], _GRAPHS),
    **dict.fromkeys(["job", "ontology", "graph", "build", "rdflib", "cql", "ttl"], _GRAPHS),
    **dict.fromkeys(["neo4j", "falkordb"], _GRAPHS),
}


def _dotenv() -> Dict[str, str]:
    """What the ``.env`` file of the working directory says of us."""
    from smartxfer.credentials import read_secret_file

    path = Path(".env")
    if path.is_dir():  # a virtual environment, for one
        return {}
    try:
        file = read_secret_file(path, _DOTENV)
    except FileNotFoundError:
        return {}
    from dotenv.parser import parse_stream

    found: Dict[str, Optional[str]] = {}
    for binding in parse_stream(io.StringIO(file.text)):
        if binding.error:
            log.warning("credentials: line %d of .env is ignored: not NAME=value", binding.original.line)
        elif binding.key is not None:
            found[binding.key] = binding.value
    names = {"base_url": (_HOST,), "api_key": _KEYS}
    values = {
        name: value
        for name, variables in names.items()
        for value in [next((found[variable] for variable in variables if found.get(variable)), None)]
        if value
    }
    if "api_key" in values:
        file.warn_if_shared()
    return values


@hides("api_key", "proxies")
@explains_absent(lambda kind, name: _ELSEWHERE.get(name, ""))
class PerseusClient(HTTPClient):
    """Uploads files to the Perseus service, by presigned addresses.

    :param api_host: address of the service; by default PERSEUS_API_HOST, also of a ``.env`` file in the
        working directory, else ``https://oath.perseus.lettria.net``.
    :param api_key: by default PERSEUS_API_KEY, else the older LETTRIA_API_KEY, ``.env``, a profile, or the
        password of a netrc entry.

    The other parameters are settings of every client: :class:`~smartxfer.client_options.ClientOptions`.

    >>> with PerseusClient() as client:
    ...     file = client.file.upload_file("report.pdf", wait=True)
    ...     print(file.name, file.status)
    report.pdf uploaded

    Source: Perseus protocol.
    """

    names = ServiceNames(
        service="perseus",
        fields={"base_url": _HOST, "api_key": _KEYS},
        netrc={"api_key": "password"},
        secrets=frozenset({"api_key"}),
        own_file=_dotenv,
        own_place=".env",
        own_local=True,
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
        from smartxfer.perseus.service import FileService

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        super().__init__(api_host, options)
        self._api_key = api_key.strip() if api_key else None
        files = FileService(lambda: self._calls, self._operation, self._max_workers)
        self._file = with_address(files, lambda: self._shown_url)

    # -- the verbs that all clients share ---------------------------------------------------------------

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
        """The files: upload_file, upload_many, sync_dir, create_file, find_files, delete_file, ..."""
        return self._file

    def _given_credentials(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._given_url, "api_key": self._api_key}

    # -- the way to the server --------------------------------------------------------------------------

    def _call(self, method: str, path: str, params: Mapping[str, Any]) -> "Call":
        from smartxfer.perseus.calls import RAW_DELETED, RAW_READ, RAW_WRITTEN

        if method in ("GET", "DELETE"):
            pairs = [(name, str(value)) for name, value in params.items()]
            success = RAW_READ if method == "GET" else RAW_DELETED
            return self._calls.describe(method, path, params=pairs, success=success)
        finding = True if path.endswith("/find") else None  # a question, though it is a POST
        return self._calls.describe(method, path, dict(params), idempotent=finding, success=RAW_WRITTEN)

    @property
    def _calls(self) -> "Calls":
        from smartxfer.perseus.calls import Calls
        from smartxfer.transport.bearer import bearer

        key = self._credentials.require("api_key")["api_key"]
        return Calls(self._wire, self.base_url, bearer(key))

    @property
    def _errors(self) -> "ErrorFamily":
        from smartxfer.perseus.errors import ERRORS

        return ERRORS

    def _error_of(self, answer: "Answer", method: str, url: str) -> HTTPError:
        from smartxfer.perseus.errors import error_of

        return error_of(answer, method, url, policy=self._retry, clock=self._clock)
