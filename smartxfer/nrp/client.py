"""The client of a repository.

Source: NRP / Invenio protocol, sections 1 and 2.
"""

from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

import requests

from smartxfer.client import HTTPClient
from smartxfer.errors import AuthError, HTTPError, UsageError
from smartxfer.missing_attributes import explain_missing_attributes
from smartxfer.nrp import download_verbs as down
from smartxfer.nrp import upload_verbs as up
from smartxfer.nrp import verbs
from smartxfer.os_text import FilePath
from smartxfer.reprs import set_address
from smartxfer.secret_text import as_secret, as_secret_url, hide_method_arguments, wrap_secrets
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

    from smartxfer._system import Clock
    from smartxfer.client_options import CertFiles, Timeout, Verify
    from smartxfer.error_families import ErrorFamily
    from smartxfer.nrp.api import RepositoryApi
    from smartxfer.nrp.files import FilesClient
    from smartxfer.nrp.record_models import Identity, RepositoryInfo
    from smartxfer.nrp.records import RecordsClient
    from smartxfer.nrp.repository_config import Config
    from smartxfer.transport import BufferedResponse, RequestSpec

__all__ = ["RepositoryClient", "get_client"]


#: Hints for attributes of nrp-cmd's client that this client does not have.
_NRP_CMD_HINTS = {
    "requests": "use client.records.publish(draft, submit=True) to create and submit a request, and nrp-cmd "
    "for other requests",
    "config": "use client.repository for properties of the repository, and client.explain_credentials() for "
    "the configuration",
}


@hide_method_arguments("token", "proxies", links=("url",))
@explain_missing_attributes(lambda kind, name: _NRP_CMD_HINTS.get(name, ""))
class RepositoryClient(HTTPClient):
    """Client for records of an NRP or InvenioRDM repository, and for uploads and downloads of their files.

    :param url: URL of the repository, as a string or any object whose ``str()`` is one; by default
        NRP_REPOSITORY_URL, else the default of nrp-cmd's configuration.  From the URL of a record or another
        page, only the origin is used; only a token that is configured for that origin is sent there.
    :param alias: name of a repository in nrp-cmd's configuration.
    :param token: bearer token; by default NRP_TOKEN, nrp-cmd's configuration, a profile, or the password of a
        netrc entry.  Without a token, public records can be read.
    :param config_path: nrp-cmd's configuration, which is only read; by default NRP_CMD_CONFIG_PATH, else
        ``~/.nrp/invenio-config.json``.

    The other parameters are settings of every client: :class:`~smartxfer.client_options.ClientOptions`.

    >>> with RepositoryClient.from_environment() as client:
    ...     draft = client.records.create({"metadata": {"title": "Reads of run 7"}})
    ...     file = client.files.upload(draft, "report.pdf", None, "report.pdf")
    ...     print(file.key, file.size, file.status)
    report.pdf 14 completed

    Source: NRP / Invenio protocol.
    """

    def __init__(
        self,
        url: Any = None,
        alias: Optional[str] = None,
        *,
        token: Optional[str] = None,
        config_path: Optional[FilePath] = None,
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
        from smartxfer.credentials import BaseURLKind
        from smartxfer.nrp.config import build_credential_spec
        from smartxfer.nrp.file_transfers import FileTransfers
        from smartxfer.nrp.files import FilesClient
        from smartxfer.nrp.records import RecordsClient
        from smartxfer.nrp.references import is_page_url, is_url
        from smartxfer.nrp.share_tokens import ShareTokens

        url_text = as_secret_url(str(url).strip()) if url is not None else None
        if url_text and not is_url(url_text):
            if alias is not None:
                raise UsageError(
                    f"invalid repository URL: {str(url_text)!r}",
                    hint="pass url='https://...', or only alias=",
                )
            url_text, alias = None, str(url_text)
        site = _get_origin(url_text) if url_text else None
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        super().__init__(site, options)
        if url_text and is_page_url(url_text):
            self._base_url_kind = BaseURLKind.LINK
        self.credential_spec = build_credential_spec(alias, config_path, site)
        self._token = token.strip() if token else None
        self._share_tokens = ShareTokens()
        self._repository_info: Optional[RepositoryInfo] = None
        records = RecordsClient(lambda: self._api, lambda: self.repository)
        self._records = set_address(records, lambda: self._display_url)
        self._file_transfers = FileTransfers(
            lambda: self._api, self._new_runner, self._max_workers, lambda: self.repository
        )
        self._files = set_address(FilesClient(self._file_transfers), lambda: self._display_url)

    # -- the methods that all clients share -------------------------------------------------------------

    upload, upload_many, upload_tree = up.upload, up.upload_many, up.upload_tree
    download, download_many, download_tree = down.download, down.download_many, down.download_tree
    list = verbs.list_files
    info = verbs.info
    exists = verbs.exists
    remove = verbs.remove
    sync = verbs.sync

    # -- namespaces -------------------------------------------------------------------------------------

    @classmethod
    def from_environment(
        cls,
        *,
        config_path: Optional[FilePath] = None,
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
    ) -> "Self":
        """Return a client that searches for its URL and credentials in the environment and in files.

        :param config_path: nrp-cmd's configuration, instead of ``~/.nrp/invenio-config.json``.
        """
        from smartxfer.client_options import ClientOptions

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(config_path=config_path, **options.to_kwargs())

    @property
    def records(self) -> "RecordsClient":
        """The records: create, read, update, search, publish, delete, ..."""
        return self._records

    @property
    def files(self) -> "FilesClient":
        """The files of records: list, read, upload, upload_many, download, download_many, delete, ..."""
        return self._files

    @property
    def repository(self) -> "RepositoryInfo":
        """Properties of the repository, fetched once.

        Source: NRP / Invenio protocol, section 1.
        """
        from smartxfer.nrp.discovery import discover_repository

        with self._lazy_init_lock:
            if self._repository_info is None:
                self._repository_info = discover_repository(self._api, self.base_url)
            return self._repository_info

    def get_repository_info(self, refresh: bool = True) -> "RepositoryInfo":
        """Return properties of the repository.

        :param refresh: fetch them again.
        """
        with self._lazy_init_lock:
            if refresh:
                self._repository_info = None
            return self.repository

    def whoami(self) -> "Identity":
        """Return the identity of the caller in the repository.

        :raises AuthError: the token is not accepted; the repository would treat the caller as a guest.

        Source: NRP / Invenio protocol, section 2.
        """
        from smartxfer.nrp.records import whoami

        return whoami(self._api, self._credentials.get("token") is not None)

    # -- requests ---------------------------------------------------------------------------------------

    def _build_request(self, method: str, path: str, params: Mapping[str, Any]) -> "RequestSpec":
        import attrs

        from smartxfer.nrp.statuses import get_raw_request_success

        url, success = f"{self._api.api_url}/{path}", get_raw_request_success(method)
        if method in ("GET", "DELETE"):
            request = self._api.build_request(method, url, params=params, success=success)
            is_archive = method == "GET" and path.rstrip("/").endswith("files-archive")
            return attrs.evolve(request, archive="zip") if is_archive else request
        return self._api.build_request(method, url, json=dict(params), success=success)

    @property
    def _api(self) -> "RepositoryApi":
        from smartxfer.nrp.api import RepositoryApi
        from smartxfer.transport.auth import build_bearer_auth

        token = self._credentials.get("token")
        return RepositoryApi(
            self._http,
            lambda: str(self.repository.links.api).rstrip("/"),
            build_bearer_auth(token) if token else None,
            share_tokens=self._share_tokens,
        )

    def _credential_args(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._base_url_arg, "token": self._token}

    @property
    def _error_family(self) -> "ErrorFamily":
        from smartxfer.nrp.errors import ERRORS

        return ERRORS

    def _build_error(self, response: "BufferedResponse", method: str, url: str) -> HTTPError:
        from smartxfer.error_values import evolve_error
        from smartxfer.nrp.errors import ERROR_TABLES
        from smartxfer.nrp.hints import SMALLER_REQUESTS_HINT, STORAGE_HINT
        from smartxfer.transport import Origin

        token = self._credentials.get("token") is not None
        error = ERROR_TABLES[token].build_error(response, method, url, policy=self._retry, clock=self._clock)
        if (
            not self._http.origin.allows_credentials_for(Origin.parse(url))
            and error.hint != SMALLER_REQUESTS_HINT
        ):
            return evolve_error(error, hint=STORAGE_HINT)  # the token is not sent to the storage
        unused = (
            [] if token or not isinstance(error, AuthError) else self._credentials.unused_reasons("token")
        )
        if not unused:
            return error
        return evolve_error(
            error, hint="; ".join([*unused, "pass url= with the repository's own URL, and token="])
        )


def get_client(
    url: Any = None,
    alias: Optional[str] = None,
    *,
    token: Optional[str] = None,
    config: "Optional[Config]" = None,
    config_path: Optional[FilePath] = None,
    refresh: bool = False,
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
) -> RepositoryClient:
    """Return the client of a repository; no request is sent before its first method call.

    :param url: URL of the repository, or its alias in nrp-cmd's configuration, or a RepositoryConfig.
    :param alias: alias of the repository.
    :param config: repositories defined by the script, instead of nrp-cmd's configuration.
    :param refresh: ignored: a new client always fetches the properties of the repository.

    The other parameters are those of :class:`RepositoryClient`.
    """
    from smartxfer.client_options import ClientOptions
    from smartxfer.nrp.repository_config import RepositoryConfig, select_repository_config

    if config is not None or isinstance(url, RepositoryConfig):
        selected = select_repository_config(url, alias, config)
        url, alias, token = str(selected.url), None, token or selected.token
        verify = verify if selected.verify_tls else False
    url, token = as_secret_url(url) if isinstance(url, str) and "?" in url else url, as_secret(token)
    proxies = wrap_secrets(proxies)
    options = ClientOptions(
        timeout, retry, session, verify, cert, cert_origins,
        proxies, max_workers, profile, netrcfile, clock,
    )  # fmt: skip
    return RepositoryClient(url, alias, token=token, config_path=config_path, **options.to_kwargs())


def _get_origin(url: str) -> str:
    """Return scheme, host and port of a URL.

    :raises UsageError: the URL is invalid, or contains a user name.
    """
    from smartxfer.transport import Origin

    origin = Origin.parse(url)
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise UsageError("the repository URL must not contain a user name or password", hint="pass token=")
    return str(origin)
