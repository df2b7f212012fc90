"""Lookup of credentials: the same order of sources for every service, and an origin for each value.

The sources are arguments, environment variables, the service's own file, a profile, netrc, and keyring.  They
are only read, and each value has its source.  An unreadable source causes a warning, or a ConfigError if the
caller chose that source.
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
