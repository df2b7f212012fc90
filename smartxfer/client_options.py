"""Settings of all clients, and their defaults."""

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import attrs
import requests

from smartxfer._system import MAX_WAIT, Clock
from smartxfer.errors import UsageError
from smartxfer.os_text import FilePath
from smartxfer.secret_text import wrap_secrets
from smartxfer.transport import RetryPolicy
from smartxfer.transport.certificates import CertFiles, Verify
from smartxfer.validation import validate_count

__all__ = ["CertFiles", "ClientOptions", "FilePath", "Timeout", "Verify"]

Timeout = Union[float, Tuple[float, float]]
"""Seconds, or (connect, read) seconds."""


def _normalize_timeout(timeout: Any) -> Tuple[float, float]:
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    valid = len(pair) == 2 and all(isinstance(seconds, (int, float)) and seconds > 0 for seconds in pair)
    if not valid:
        raise UsageError(
            f"timeout must be seconds or (connect, read) seconds, not {timeout!r}",
            hint="pass timeout=60 or timeout=(15, 60)",
        )
    return (min(float(pair[0]), MAX_WAIT), min(float(pair[1]), MAX_WAIT))


def _wrap_proxy_secrets(proxies: Optional[Mapping[str, str]]) -> Any:
    return None if proxies is None else wrap_secrets(dict(proxies))


@attrs.frozen
class ClientOptions:
    """The settings that every client accepts as keyword parameters, with their names, order and defaults.

    Each public constructor has them in its own signature, and passes them on as an instance of this class.

    :param timeout: seconds, or (connect, read) seconds.
    :param retry: retry policy of requests.
    :param session: a requests Session of the caller; its settings are not changed, and it is not closed.
    :param verify: True, False, or the path of a CA bundle.
    :param cert: path of a client certificate, or (certificate, key), for the origin of the service only.
    :param cert_origins: further origins for the certificate, such as ``["https://s3.example.org"]``.
    :param proxies: as requests accepts them; by default those of the environment.
    :param max_workers: maximum number of threads of one call.
    :param profile: section of smartxfer's configuration file.
    :param netrcfile: path of a netrc file instead of ``~/.netrc``.
    :param clock: clock for tests; by default that of the system.
    """

    timeout: Tuple[float, float] = attrs.field(default=(15.0, 60.0), converter=_normalize_timeout)
    retry: RetryPolicy = RetryPolicy()
    session: Optional[requests.Session] = None
    verify: Verify = True
    cert: Optional[CertFiles] = None
    cert_origins: Sequence[str] = ()
    proxies: Optional[Mapping[str, str]] = attrs.field(default=None, converter=_wrap_proxy_secrets)
    max_workers: int = attrs.field(default=4)
    profile: Optional[str] = None
    netrcfile: Optional[FilePath] = None
    clock: Optional[Clock] = attrs.field(default=None, repr=False)

    @max_workers.validator
    def _validate_max_workers(self, attribute: Any, value: Any) -> None:
        validate_count(value, "max_workers")

    def to_kwargs(self) -> Dict[str, Any]:
        """Return the settings as the keyword arguments of a client."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
