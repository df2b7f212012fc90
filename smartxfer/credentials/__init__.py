"""Where credentials come from: one order of places for every service, and the origin that each value is for.

Arguments, the environment, the service's own file, a profile, netrc, keyring.  All are only read, and each
value remembers its source.  A source that cannot be read is a warning that names it, unless the caller named
that source: then it is a ConfigError.
"""

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
