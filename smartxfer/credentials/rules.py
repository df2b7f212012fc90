"""Which values may go to which address.

A value counts for the address that was found in the same place, for an address that the program gives, and
for the vendor's default address.  For an address from a link, or from a ``.env`` file of the working
directory, it counts only where its own place names that address.
"""

import enum
from typing import Optional

import attrs

from smartxfer.transport.origin import Origin, is_loopback

__all__ = ["Address", "AddressKind", "Place", "PlaceKind", "refusal"]


class AddressKind(enum.Enum):
    """Where an address comes from."""

    #: A base URL that the program gives, or the alias of one in a configuration file.
    EXPLICIT = "given by the program"
    #: Variables of the environment, or a file.
    PLACE = "found in a place"
    #: The vendor's.
    DEFAULT = "the default"
    #: A link that somebody sent, or the address of a page; an account may be needed there.
    LINK = "a link"
    #: A link with a token or a voucher in it, which is used alone.
    TOKEN_LINK = "a link with a token"  # noqa: S105 - not a password


class PlaceKind(enum.Enum):
    """Who fills a place."""

    ARGUMENTS = "the program"
    USER = "the user: the environment, or a file in the home directory"
    DIRECTORY = "anybody who may write to the working directory"
    DEFAULT = "the vendor"
    #: netrc and keyring, whose entries are bound to a host.
    HOST = "the user, for one host"


@attrs.frozen
class Place:
    """A place of values that belong together.

    :param source: name of the place.
    :param site: the base URL that it names; None where it names no address.
    :param site_source: name of that URL's variable or place.
    """

    source: str
    kind: PlaceKind
    site: Optional[Origin] = None
    site_source: str = ""
    #: Whether it names an address that cannot be read.
    odd: bool = False


@attrs.frozen
class Address:
    """The address in use.

    :param place: where it was found.
    :param source: name of the variable or place, for messages.
    """

    origin: Origin
    kind: AddressKind
    place: Place
    source: str


def refusal(place: Place, address: Optional[Address], secret: bool = True) -> Optional[str]:
    """Return why a value of a place is not used for an address; None where it is used.

    :param secret: False for a user's name without a secret in the same place: it needs no address beside it.
    """
    if address is None:
        return None
    if address.kind is AddressKind.TOKEN_LINK:
        return f"the address {address.origin} comes from a link, whose own token is used alone"
    if place.kind is PlaceKind.ARGUMENTS:
        return _of_argument(address)
    if place.kind is PlaceKind.HOST:
        return _of_host(address)
    if place.odd:
        return f"belongs to an address that cannot be read ({place.site_source})"
    if place.site is not None:
        if place.site.trusts(address.origin):
            return None
        return f"belongs to {place.site} ({place.site_source})"
    if address.kind in (AddressKind.EXPLICIT, AddressKind.DEFAULT):
        return None
    if not secret and address.kind is AddressKind.PLACE and address.place.kind is not PlaceKind.DIRECTORY:
        return None
    return f"no address is set beside it, and {_told(address)}"


def _of_argument(address: Address) -> Optional[str]:
    if address.kind is AddressKind.LINK or address.place.kind is PlaceKind.DIRECTORY:
        return f"{_told(address)}, not from the program or the user's configuration"
    return None


def _of_host(address: Address) -> Optional[str]:
    if address.place.kind is PlaceKind.DIRECTORY:
        return f"{_told(address)}, which gets only a value from the same file"
    unsafe = address.origin.scheme != "https" and not is_loopback(address.origin.host)
    if address.kind is AddressKind.LINK and unsafe:
        return f"{_told(address)}, and is not https"
    return None


def _told(address: Address) -> str:
    source = "a link" if address.kind is AddressKind.LINK else address.source
    return f"the address {address.origin} comes from {source}"
