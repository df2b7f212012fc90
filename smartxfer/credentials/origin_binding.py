"""Rules for the base URLs to which credentials may be sent.

A value is used for the base URL that was found in the same source, for a base URL that the program passes,
and for the default URL of the vendor.  For a URL from a link, or from a ``.env`` file in the working
directory, it is used only if its own source contains that URL.
"""

import enum
from typing import Optional

import attrs

from smartxfer.transport.origin import Origin, is_loopback

__all__ = ["BaseURL", "BaseURLKind", "Source", "SourceKind", "explain_unused"]


class BaseURLKind(enum.Enum):
    """Kind of a base URL."""

    #: A base URL that the program passes, or its alias in a configuration file.
    EXPLICIT = "given by the program"
    #: A base URL from an environment variable or a file.
    CONFIGURED = "found in a source"
    #: The default of the vendor.
    DEFAULT = "the default"
    #: A link, or the URL of a page, that the program received; it may need an account.
    LINK = "a link"
    #: A link that contains a token or a voucher, which is used instead of an account.
    TOKEN_LINK = "a link with a token"  # noqa: S105 - not a password


class SourceKind(enum.Enum):
    """Kind of a source, by who controls it."""

    PROGRAM = "the program"
    USER = "the user: the environment, or a file in the home directory"
    WORKING_DIRECTORY = "any user with write access to the working directory"
    DEFAULT = "the vendor"
    #: netrc and keyring, whose entries are bound to a host.
    HOST = "the user, for one host"


@attrs.frozen
class Source:
    """A source of values that belong together.

    :param name: name of the source, for messages.
    :param kind: who controls the source.
    :param origin: of the base URL that it contains, or None.
    :param origin_source: name of the variable or source of that URL.
    """

    name: str
    kind: SourceKind
    origin: Optional[Origin] = None
    origin_source: str = ""
    #: True if it contains an invalid base URL.
    has_invalid_origin: bool = False


@attrs.frozen
class BaseURL:
    """The selected base URL.

    :param found_in: source of the URL.
    :param source_name: name of the variable or source, for messages.
    """

    origin: Origin
    kind: BaseURLKind
    found_in: Source
    source_name: str


def explain_unused(source: Source, base_url: Optional[BaseURL], is_secret: bool = True) -> Optional[str]:
    """Return the reason why a value is not used for a base URL; None if it is used.

    :param is_secret: False for a user name without a secret in the same source, which may be used for any
        configured base URL.
    """
    if base_url is None:
        return None
    if base_url.kind is BaseURLKind.TOKEN_LINK:
        return f"the address {base_url.origin} comes from a link, whose own token is used alone"
    if source.kind is SourceKind.PROGRAM:
        return _explain_unused_argument(base_url)
    if source.kind is SourceKind.HOST:
        return _explain_unused_host_entry(base_url)
    if source.has_invalid_origin:
        return f"belongs to an invalid URL ({source.origin_source})"
    if source.origin is not None:
        if source.origin.allows_credentials_for(base_url.origin):
            return None
        return f"belongs to {source.origin} ({source.origin_source})"
    if base_url.kind in (BaseURLKind.EXPLICIT, BaseURLKind.DEFAULT):
        return None
    if (
        not is_secret
        and base_url.kind is BaseURLKind.CONFIGURED
        and base_url.found_in.kind is not SourceKind.WORKING_DIRECTORY
    ):
        return None
    return f"no URL is set in the same source, and {_describe_base_url(base_url)}"


def _explain_unused_argument(base_url: BaseURL) -> Optional[str]:
    if base_url.kind is BaseURLKind.LINK or base_url.found_in.kind is SourceKind.WORKING_DIRECTORY:
        return f"{_describe_base_url(base_url)}, not from the program or the user's configuration"
    return None


def _explain_unused_host_entry(base_url: BaseURL) -> Optional[str]:
    if base_url.found_in.kind is SourceKind.WORKING_DIRECTORY:
        return f"{_describe_base_url(base_url)}, which gets only a value from the same file"
    unsafe = base_url.origin.scheme != "https" and not is_loopback(base_url.origin.host)
    if base_url.kind is BaseURLKind.LINK and unsafe:
        return f"{_describe_base_url(base_url)}, and is not https"
    return None


def _describe_base_url(base_url: BaseURL) -> str:
    source = "a link" if base_url.kind is BaseURLKind.LINK else base_url.source_name
    return f"the address {base_url.origin} comes from {source}"
