"""Where credentials come from: one order of places for every service, and the origin that each value is for.

Arguments, the environment, the service's own file, a profile, netrc, keyring.  All are only read, and each
value remembers its source.  A source that cannot be read is a warning that names it, unless the caller named
that source: then it is a ConfigError.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_names import lazy_names

if TYPE_CHECKING:
    from smartxfer.credentials.files import SecretFile, Unreadable, parse_ini, read_secret_file
    from smartxfer.credentials.found import Credentials
    from smartxfer.credentials.names import ServiceNames
    from smartxfer.credentials.places import config_file, look_up
    from smartxfer.credentials.rules import AddressKind

__all__ = [
    "AddressKind",
    "Credentials",
    "SecretFile",
    "ServiceNames",
    "Unreadable",
    "config_file",
    "look_up",
    "parse_ini",
    "read_secret_file",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "files": "SecretFile Unreadable parse_ini read_secret_file",
            "found": "Credentials",
            "names": "ServiceNames",
            "places": "config_file look_up",
            "rules": "AddressKind",
        },
    )
