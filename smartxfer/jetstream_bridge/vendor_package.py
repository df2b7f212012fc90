"""Import of the vendor's package, with a check that it is not another package of the same name."""

import importlib
from typing import Any, Callable

from smartxfer.errors import UsageError

__all__ = ["load_api_factory"]

_PACKAGE_NAME = "jetstream"
_INSTALL_HINT = (
    "add the directory of the package that comes with the JetStream server to PYTHONPATH; the package of "
    "this name on PyPI is another project"
)


def load_api_factory(host: str, port: int) -> Callable[[], Any]:
    """Return a function that creates an API object of the vendor's package, which is not connected.

    Its class is ``JetStream``; in version 1.9 it was ``Jetstream``.  Source: JetStream protocol, section 1.1.

    :param host: name or address of the JetStream server.
    :param port: its API control port.
    :raises UsageError: the package is not installed, cannot be imported, or is not the vendor's.
    """
    try:
        package = importlib.import_module(_PACKAGE_NAME)
    except ModuleNotFoundError as error:
        if error.name == _PACKAGE_NAME:
            raise _build_missing_package_error() from None
        raise UsageError(f"the package jetstream cannot be imported: {error}", hint=_INSTALL_HINT) from error
    except Exception as error:  # the package may raise anything
        raise UsageError(
            f"the package jetstream cannot be imported: {type(error).__name__}: {error}", hint=_INSTALL_HINT
        ) from error
    factory: Any = getattr(package, "JetStream", None) or getattr(package, "Jetstream", None)
    if not callable(getattr(factory, "api", None)):
        path = getattr(package, "__file__", None)
        if path is None:  # a namespace package: any directory of this name in the search path
            raise _build_missing_package_error()
        raise UsageError(
            f"the package jetstream in {path} is not the vendor's: it has no JetStream().api",
            hint=_INSTALL_HINT,
        )
    return lambda: factory().api(host, port)


def _build_missing_package_error() -> UsageError:
    return UsageError("the vendor's Python package jetstream is not installed", hint=_INSTALL_HINT)
