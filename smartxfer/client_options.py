"""The settings that every client takes, and their defaults."""

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import attrs
import requests

from smartxfer.errors import UsageError
from smartxfer.options import check_count
from smartxfer.seams import LONGEST_WAIT, Clock
from smartxfer.secret_text import hidden
from smartxfer.system_text import FilePath
from smartxfer.transport import RetryPolicy
from smartxfer.transport.certificates import CertFiles, Verify

__all__ = ["CertFiles", "ClientOptions", "FilePath", "Timeout", "Verify"]

Timeout = Union[float, Tuple[float, float]]
"""Seconds, or (connect, read) seconds."""


def _connect_and_read(timeout: Any) -> Tuple[float, float]:
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    valid = len(pair) == 2 and all(isinstance(seconds, (int, float)) and seconds > 0 for seconds in pair)
    if not valid:
        raise UsageError(f"timeout must be seconds or (connect, read) seconds, not {timeout!r}")
    return (min(float(pair[0]), LONGEST_WAIT), min(float(pair[1]), LONGEST_WAIT))


def _hidden_proxies(proxies: Optional[Mapping[str, str]]) -> Any:
    return None if proxies is None else hidden(dict(proxies))


@attrs.frozen
class ClientOptions:
    """The settings that every client takes as keyword parameters; their names, order and defaults.

    Each public constructor lists them in its own signature, and passes them on as one of these.

    :param timeout: seconds, or (connect, read) seconds.
    :param retry: how requests are repeated.
    :param session: a requests Session of the caller's; its settings are not changed, and it is not closed.
    :param verify: True, False, or the path of a CA bundle.
    :param cert: path of a client certificate, or (certificate, key), for the service's own origin only.
    :param cert_origins: further origins that it is presented to, such as ``["https://s3.example.org"]``.
    :param proxies: as requests takes them; by default the environment's.
    :param max_workers: threads for the parts of one call.
    :param profile: section of smartxfer's configuration file.
    :param netrcfile: path of a netrc file instead of ``~/.netrc``.
    :param clock: time for tests; by default the system's.
    """

    timeout: Tuple[float, float] = attrs.field(default=(15.0, 60.0), converter=_connect_and_read)
    retry: RetryPolicy = RetryPolicy()
    session: Optional[requests.Session] = None
    verify: Verify = True
    cert: Optional[CertFiles] = None
    cert_origins: Sequence[str] = ()
    proxies: Optional[Mapping[str, str]] = attrs.field(default=None, converter=_hidden_proxies)
    max_workers: int = attrs.field(default=4)
    profile: Optional[str] = None
    netrcfile: Optional[FilePath] = None
    clock: Optional[Clock] = attrs.field(default=None, repr=False)

    @max_workers.validator
    def _check_max_workers(self, attribute: Any, value: Any) -> None:
        check_count(value, "max_workers")

    def keywords(self) -> Dict[str, Any]:
        """Return the settings as the keyword arguments of a client."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
