"""The client of a repository.

Source: NRP / Invenio protocol, sections 1 and 2.
"""

import os
from typing import Any, Mapping, Optional, Union

import attrs

from smartxfer.credentials import AddressKind
from smartxfer.errors import AuthError, Forbidden, HTTPError, UsageError
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.config import names_of
from smartxfer.nrp.discovery import discover
from smartxfer.nrp.errors import error_of
from smartxfer.nrp.files import FilesClient
from smartxfer.nrp.hints import SMALLER
from smartxfer.nrp.places import is_page, is_url
from smartxfer.nrp.record_models import Identity, RepositoryInfo
from smartxfer.nrp.records import RecordsClient, whoami
from smartxfer.nrp.share import ShareTokens
from smartxfer.nrp.statuses import of_raw
from smartxfer.secret_text import as_url, hidden, hides
from smartxfer.transfer.client import TransferClient
from smartxfer.transport import Answer, Call, Origin
from smartxfer.transport.bearer import bearer

__all__ = ["RepositoryClient", "get_client"]


@hides("token", "proxies", links=("url",))
class RepositoryClient(TransferClient):
    """Works with the records of an NRP or InvenioRDM repository, and sends and fetches their files.

    :param url: address of the repository, as text or anything whose ``str()`` is one; by default
        NRP_REPOSITORY_URL, else the default of nrp-cmd's configuration.  Of the address of a record or
        another page the origin is taken; it gets only a token that is configured for that origin.
    :param alias: name of a repository in nrp-cmd's configuration.
    :param token: bearer token; by default NRP_TOKEN, nrp-cmd's configuration, a profile, or the password of a
        netrc entry.  Without one, what is public can be read.
    :param config_path: nrp-cmd's configuration, which is only read; by default NRP_CMD_CONFIG_PATH, else
        ``~/.nrp/invenio-config.json``.
    :param options: what every client takes: ``timeout``, ``retry``, ``session``, ``verify``, ``cert``,
        ``proxies``, ``max_workers``, ``profile``, ``netrcfile``.

    Source: NRP / Invenio protocol.
    """

    def __init__(
        self,
        url: Any = None,
        alias: Optional[str] = None,
        *,
        token: Optional[str] = None,
        config_path: Union[str, "os.PathLike[str]", None] = None,
        **options: Any,
    ) -> None:
        given = as_url(str(url).strip()) if url is not None else None
        if given and not is_url(given):
            if alias is not None:
                raise UsageError(f"{str(given)!r} is no address, and alias= is given too")
            given, alias = None, str(given)
        site = _site(given) if given else None
        super().__init__(site, **options)
        if given and is_page(given):
            self._address_kind = AddressKind.LINK
        self.names = names_of(alias, config_path, site)
        self._token = token.strip() if token else None
        self._shared = ShareTokens()
        self._found: Optional[RepositoryInfo] = None
        #: The records: create, read, search, publish, ...
        self.records = RecordsClient(lambda: self._calls, lambda: self.repository)
        #: The files of records: list, read, upload, download, ...
        self.files = FilesClient(
            lambda: self._calls, self._operation, self._max_workers, lambda: self.repository
        )

    @property
    def repository(self) -> RepositoryInfo:
        """What the repository says of itself; asked once.

        Source: NRP / Invenio protocol, section 1.
        """
        with self._lock:
            if self._found is None:
                self._found = discover(self._calls, self.base_url)
            return self._found

    def whoami(self) -> Identity:
        """Whom the repository takes the caller for.

        :raises AuthError: there is a token that the repository does not know: silently, one would be a guest.

        Source: NRP / Invenio protocol, section 2.
        """
        return whoami(self._calls, self._credentials.get("token") is not None)

    # -- the way to the server --------------------------------------------------------------------------

    def _call(self, method: str, path: str, params: Mapping[str, Any]) -> Call:
        url, success = f"{self._calls.api}/{path}", of_raw(method)
        if method in ("GET", "DELETE"):
            call = self._calls.describe(method, url, params=params, success=success)
            packed = method == "GET" and path.rstrip("/").endswith("files-archive")
            return attrs.evolve(call, archive="zip") if packed else call
        return self._calls.describe(method, url, json=dict(params), success=success)

    @property
    def _calls(self) -> Calls:
        token = self._credentials.get("token")
        return Calls(
            self._wire,
            lambda: str(self.repository.links.api).rstrip("/"),
            bearer(token) if token else None,
            self._clock,
            make=self._wire.fetch,
            pause=self._clock.sleep,
            shared=self._shared,
        )

    def _given_credentials(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._given_url, "token": self._token}

    def _error_of(self, answer: Answer, method: str, url: str) -> HTTPError:
        token = self._credentials.get("token") is not None
        error = error_of(answer, method, url, policy=self._retry, clock=self._clock, token=token)
        if not self._wire.origin.trusts(Origin.of(url)) and error.hint != SMALLER:
            error.hint = ""  # the storage behind the repository never sees the token
        elif not token and isinstance(error, (AuthError, Forbidden)):
            unused = self._credentials.unused("token")
            if unused:
                error.hint = "; ".join([*unused, "give the repository's own address as url=, and token="])
        return error


def get_client(url: Any = None, alias: Optional[str] = None, **options: Any) -> RepositoryClient:
    """The client of a repository; nothing is sent before the first call.

    :param url: its address, or its alias in nrp-cmd's configuration.
    :param alias: its alias.
    :param options: what :class:`RepositoryClient` takes.
    """
    url, options = as_url(url) if isinstance(url, str) and "?" in url else url, hidden(options)
    return RepositoryClient(url, alias, **options)


def _site(url: str) -> str:
    """Scheme, host and port of an address.

    :raises UsageError: it is none, or names a user.
    """
    origin = Origin.of(url)
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise UsageError("the address of a repository holds no user name or password", hint="pass token=")
    return str(origin)
