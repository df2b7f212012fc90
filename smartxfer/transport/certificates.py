"""Checks of certificate files before a request uses them.

requests reports a missing file as a failed connection, which would be retried.
"""

import contextlib
import os
import ssl
from typing import Any, Tuple, Union

from smartxfer.errors import ConfigError, LocalNotFound
from smartxfer.os_text import FilePath, resolve_source_path
from smartxfer.transport.shared_files import warn_if_shared

__all__ = [
    "CertFiles", "Verify", "normalize_cert", "normalize_path", "validate_ca_bundle", "validate_client_cert",
]

Verify = Union[bool, FilePath]
"""Values of ``verify=``: whether server certificates are verified, or the path of a CA bundle."""
CertFiles = Union[FilePath, Tuple[FilePath, FilePath]]
"""Path of a client certificate, or paths of (certificate, key)."""


class _EncryptedKey(Exception):
    """The key needs a passphrase, which OpenSSL would request on the terminal."""


def validate_ca_bundle(path: str, source: str) -> None:
    """Check that a file of trusted certificates exists and contains some.

    :param path: file, or a directory as OpenSSL's ``c_rehash`` makes it.
    :param source: the argument or variable that names it.
    :raises ConfigError: it does not exist, cannot be read, or contains no certificate.
    """
    if os.path.isdir(path):
        return
    hint = f"correct {source}, or leave it out to use the bundle of the package certifi"
    _load_or_raise(
        lambda context: context.load_verify_locations(cafile=path),
        f"{source}: the CA bundle {path!r}",
        "contains no certificate in PEM format",
        hint,
    )


def normalize_cert(cert: Any, source: str) -> Any:
    """Return a client certificate as requests accepts it: one path, or paths of certificate and key.

    :raises ConfigError: it has another type.
    """
    if isinstance(cert, (str, os.PathLike)):
        return normalize_path(cert, source)
    if not isinstance(cert, (tuple, list)) or len(cert) != 2:
        raise ConfigError(
            f"{source} must be a path or a (certificate, key) pair of paths, not {type(cert).__name__}",
            hint="pass cert=('client.pem', 'client.key')",
        )
    return tuple(normalize_path(path, source) for path in cert)


def validate_client_cert(cert: Any, source: str) -> None:
    """Check that a client certificate and its key exist and match; warn if other users can access the key.

    :param cert: one path, or paths of certificate and key.
    :param source: the argument that names it.
    :raises ConfigError: a file does not exist or cannot be read, or the two do not match.
    """
    paths = (cert,) if isinstance(cert, (str, os.PathLike)) else tuple(cert)
    hint = f"correct the paths in {source}"
    for path, description in zip(paths, ("client certificate", "key of the client certificate")):
        if not os.path.isfile(path):
            raise ConfigError(f"{source}: the {description} {os.fspath(path)!r} does not exist", hint=hint)

    def passphrase() -> str:
        raise _EncryptedKey

    _load_or_raise(
        lambda context: context.load_cert_chain(paths[0], paths[-1], passphrase),
        f"{source}: the client certificate {os.fspath(paths[0])!r}",
        "is not a certificate in PEM format with the key that belongs to it",
        hint,
    )
    with contextlib.suppress(OSError):
        warn_if_shared(os.fspath(paths[-1]), os.stat(paths[-1]))


def normalize_path(path: Any, source: str) -> str:
    """Return the path of a file as text that OpenSSL can open.

    :raises ConfigError: it is empty, or not a path.
    """
    try:
        text = str(resolve_source_path(path))
    except (TypeError, ValueError, LocalNotFound) as error:
        raise ConfigError(f"{source}: {getattr(error, 'summary', error)}", hint=f"correct {source}") from None
    if not os.fspath(path):
        raise ConfigError(f"{source} is an empty path", hint=f"set {source} to a path, or leave it out")
    return text


def _load_or_raise(load: Any, subject: str, invalid_message: str, hint: str) -> None:
    """Load a file with OpenSSL; raise a ConfigError if that fails."""
    try:
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except _EncryptedKey:
        return
    except FileNotFoundError:
        problem = "does not exist"
    except ssl.SSLError:
        problem = invalid_message
    except OSError as error:
        problem = f"cannot be read: {error.strerror or type(error).__name__}"
    except ValueError as error:
        problem = f"cannot be used: {error}"
    else:
        return
    raise ConfigError(f"{subject} {problem}", hint=hint)
