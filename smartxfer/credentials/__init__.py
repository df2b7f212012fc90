"""Where credentials come from: one order of places for every service, and the origin that each value is for.

Arguments, the environment, the service's own file, a profile, netrc, keyring.  All are only read, and each
value remembers its source.  A source that cannot be read is a warning that names it, unless the caller named
that source: then it is a ConfigError.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_imports import build_lazy_module_hooks

if TYPE_CHECKING:
    from smartxfer.credentials.credential_set import Credentials
    from smartxfer.credentials.credential_spec import CredentialSpec
    from smartxfer.credentials.lookup import get_config_path, resolve_credentials
    from smartxfer.credentials.origin_binding import BaseURLKind
    from smartxfer.credentials.secret_files import SecretFile, UnreadableFile, parse_ini, read_secret_file

__all__ = [
    "BaseURLKind",
    "CredentialSpec",
    "Credentials",
    "SecretFile",
    "UnreadableFile",
    "get_config_path",
    "parse_ini",
    "read_secret_file",
    "resolve_credentials",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = build_lazy_module_hooks(
        __name__,
        {
            "credential_set": "Credentials",
            "credential_spec": "CredentialSpec",
            "lookup": "get_config_path resolve_credentials",
            "origin_binding": "BaseURLKind",
            "secret_files": "SecretFile UnreadableFile parse_ini read_secret_file",
        },
    )
