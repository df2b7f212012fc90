"""Error classes of the services, as subclasses of the generic errors.

An error of a service is a subclass of the generic class and of the service's base class, so that callers can
catch both:

>>> from smartxfer.errors import NotFound
>>> from smartxfer.nrp.errors import ERRORS, RepositoryError
>>> kind = ERRORS.class_for(NotFound)
>>> kind.__name__, issubclass(kind, NotFound), issubclass(kind, RepositoryError)
('RepositoryNotFoundError', True, True)

Errors with a cause on the caller's side have no such subclasses: arguments, configuration, local files,
cancellation and deadlines mean the same for every service.
"""

import sys
from typing import Any, Dict, List, Type, TypeVar

from smartxfer import errors
from smartxfer.error_values import evolve_error
from smartxfer.errors import SmartxferError

__all__ = ["GENERIC_ERRORS", "SERVICE_ERROR_BASES", "ErrorFamily"]

E = TypeVar("E", bound=BaseException)
S = TypeVar("S", bound=SmartxferError)

_CALLER_ERRORS = (
    errors.UsageError,
    errors.ConfigError,
    errors.LocalError,
    errors.Cancelled,
    errors.DeadlineExceeded,
)
#: The generic classes of which each service has a subclass, base classes first.
SERVICE_ERROR_BASES: List[Type[SmartxferError]] = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, SmartxferError)
    and kind is not SmartxferError
    and not issubclass(kind, _CALLER_ERRORS)
]


class ErrorFamily:
    """The errors of one service, by generic class.

    A class that the service's module does not define is created here, and added to that module under the
    prefix and the generic name, where pickle finds it.

    :param module: ``__name__`` of the module with the service's classes.
    :param root: base class of all of them.
    :param prefix: of the names of the created classes.
    """

    def __init__(self, module: str, root: Type[SmartxferError], prefix: str = "") -> None:
        self.root = root
        self._module = module
        self._classes: Dict[Type[BaseException], Type[SmartxferError]] = {}
        if root is not SmartxferError:
            self._add_classes(vars(sys.modules[module]), prefix)

    def _add_classes(self, names: Dict[str, Any], prefix: str) -> None:
        defined = {
            kind.__bases__[-1]: kind
            for kind in names.values()
            if isinstance(kind, type) and issubclass(kind, self.root) and kind is not self.root
        }
        for generic in SERVICE_ERROR_BASES:
            kind = defined.get(generic) or self._create_class(generic, f"{prefix}{generic.__name__}")
            kind.__doc__ = kind.__doc__ or generic.__doc__
            self._classes[generic] = names[kind.__name__] = kind

    def _create_class(self, generic: Type[SmartxferError], name: str) -> Type[SmartxferError]:
        parents = [self._classes[base] for base in generic.__bases__ if base in self._classes]
        contents = {"__module__": self._module, "__qualname__": name}
        return type(name, (*(parents or [self.root]), generic), contents)

    def class_for(self, generic: Type[S]) -> Type[S]:
        """Return the service's subclass of a generic class; the class itself if the service has none."""
        return self._classes.get(generic, generic)  # type: ignore[return-value]

    def convert(self, error: E) -> E:
        """Return a copy of an error with the service's class.

        An error without a class of the service, or that already has one, is returned unchanged.
        """
        kind: Any = self._classes.get(type(error))
        if kind is None:
            return error
        converted: E = evolve_error(error, kind)
        return converted

    def __reduce__(self) -> Any:
        return (_unpickle_family, (self._module,))

    def __repr__(self) -> str:
        return f"<ErrorFamily of {self.root.__name__}>"


#: The family without classes of a service: every error stays unchanged.
GENERIC_ERRORS = ErrorFamily(__name__, SmartxferError)


def _unpickle_family(module: str) -> ErrorFamily:
    __import__(module)
    family: ErrorFamily = getattr(sys.modules[module], "GENERIC_ERRORS" if module == __name__ else "ERRORS")
    return family
