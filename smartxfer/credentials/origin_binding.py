"""Which values may go to which address.

A value counts for the address that was found in the same place, for an address that the program gives, and
for the vendor's default address.  For an address from a link, or from a ``.env`` file of the working
directory, it counts only where its own place names that address.
"""

import enum
from typing import Optional

import attrs

from smartxfer.transport.origin import Origin, is_loopback

__all__ = ["BaseURL", "BaseURLKind", "Source", "SourceKind", "explain_unused"]


class BaseURLKind(enum.Enum):
    """Where an address comes from."""

    #: A base URL that the program gives, or the alias of one in a configuration file.
    EXPLICIT = "given by the program"
    #: Variables of the environment, or a file.
    CONFIGURED = "found in a place"
    #: The vendor's.
    DEFAULT = "the default"
    #: A link that somebody sent, or the address of a page; an account may be needed there.
    LINK = "a link"
    #: A link with a token or a voucher in it, which is used alone.
    TOKEN_LINK = "a link with a token"  # noqa: S105 - not a password


class SourceKind(enum.Enum):
    """Who fills a place."""

    PROGRAM = "the program"
    USER = "the user: the environment, or a file in the home directory"
    WORKING_DIRECTORY = "anybody who may write to the working directory"
    DEFAULT = "the vendor"
    #: netrc and keyring, whose entries are bound to a host.
    HOST = "the user, for one host"


@attrs.frozen
class Source:
    """A place of values that belong together.

    :param source: name of the place.
    :param site: the base URL that it names; None where it names no address.
    :param site_source: name of that URL's variable or place.
    """

    name: str
    kind: SourceKind
    origin: Optional[Origin] = None
    origin_source: str = ""
    #: Whether it names an address that cannot be read.
    has_invalid_origin: bool = False


@attrs.frozen
class BaseURL:
    """The address in use.

    :param place: where it was found.
    :param source: name of the variable or place, for messages.
    """

    origin: Origin
    kind: BaseURLKind
    found_in: Source
    source_name: str


def explain_unused(source: Source, base_url: Optional[BaseURL], is_secret: bool = True) -> Optional[str]:
    """Return why a value of a place is not used for an address; None where it is used.

    :param is_secret: False for a user's name without a secret in the same place: it needs no address beside
        it.
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
        return f"belongs to an address that cannot be read ({source.origin_source})"
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
    return f"no address is set beside it, and {_describe_base_url(base_url)}"


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
