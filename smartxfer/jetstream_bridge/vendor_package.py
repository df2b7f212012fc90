"""The vendor's package: found by its name, and told from others that have the same one."""

import importlib
from typing import Any, Callable

from smartxfer.errors import UsageError

__all__ = ["load_api_factory"]

_PACKAGE_NAME = "jetstream"
_INSTALL_HINT = (
    "the vendor's package comes with the JetStream server, not from PyPI, where the name is another "
    "project's: have this Python find it (PYTHONPATH)"
)


def load_api_factory(host: str, port: int) -> Callable[[], Any]:
    """What makes one interface of the vendor's, not yet connected.

    The class is ``JetStream``, and was ``Jetstream`` in 1.9.  Source: JetStream protocol, section 1.1.

    :param host: name or address of the JetStream server.
    :param port: its API control port.
    :raises UsageError: the package is not installed, cannot be imported, or is another one of that name.
    """
    try:
        package = importlib.import_module(_PACKAGE_NAME)
    except ModuleNotFoundError as error:
        if error.name == _PACKAGE_NAME:
            raise _build_missing_package_error() from None
        raise UsageError(f"the package jetstream cannot be imported: {error}", hint=_INSTALL_HINT) from error
    except Exception as error:  # whatever it raises
        said = f"{type(error).__name__}: {error}"
        raise UsageError(f"the package jetstream cannot be imported: {said}", hint=_INSTALL_HINT) from error
    found = getattr(package, "JetStream", None) or getattr(package, "Jetstream", None)
    if not callable(getattr(found, "api", None)):
        where = getattr(package, "__file__", None)
        if where is None:  # any directory of that name, in some place of the search path
            raise _build_missing_package_error()
        said = f"the package jetstream in {where} is not the vendor's: it has no JetStream().api"
        raise UsageError(said, hint=_INSTALL_HINT)
    made: Any = found
    return lambda: made().api(host, port)


def _build_missing_package_error() -> UsageError:
    return UsageError("the vendor's Python package jetstream is not installed", hint=_INSTALL_HINT)
