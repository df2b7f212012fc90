"""The subclasses of the generic errors that one service raises.

A service's error is the generic class and the service's root at once, so that both can be caught:

>>> from smartxfer.errors import NotFound
>>> from smartxfer.nrp.errors import ERRORS, RepositoryError
>>> kind = ERRORS.kind(NotFound)
>>> kind.__name__, issubclass(kind, NotFound), issubclass(kind, RepositoryError)
('RepositoryNotFoundError', True, True)

Errors whose cause is on the caller's side have no such subclass: arguments, configuration, local files, a
cancel and a deadline mean the same for every service, and nothing of them came from a server.
"""

import sys
from typing import Any, Dict, List, Type, TypeVar

from smartxfer import errors
from smartxfer.error_values import evolve
from smartxfer.errors import SmartxferError

__all__ = ["GENERIC", "SERVICE_ERRORS", "ErrorFamily"]

E = TypeVar("E", bound=BaseException)
S = TypeVar("S", bound=SmartxferError)

_CALLERS_SIDE = (
    errors.UsageError,
    errors.ConfigError,
    errors.LocalError,
    errors.Cancelled,
    errors.DeadlineExceeded,
)
#: The generic classes of which each service has a subclass, parents first.
SERVICE_ERRORS: List[Type[SmartxferError]] = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, SmartxferError)
    and kind is not SmartxferError
    and not issubclass(kind, _CALLERS_SIDE)
]


class ErrorFamily:
    """The errors of one service, by the generic class of each.

    A class that the service's module does not define is made here, and put into that module under the
    prefix and the generic name: pickle finds it there.

    :param module: name of the module with the service's classes, ``__name__``.
    :param root: the base of all of them.
    :param prefix: of the names of the classes that are made.
    """

    def __init__(self, module: str, root: Type[SmartxferError], prefix: str = "") -> None:
        self.root = root
        self._module = module
        self._kinds: Dict[Type[BaseException], Type[SmartxferError]] = {}
        if root is not SmartxferError:
            self._fill(vars(sys.modules[module]), prefix)

    def _fill(self, names: Dict[str, Any], prefix: str) -> None:
        written = {
            kind.__bases__[-1]: kind
            for kind in names.values()
            if isinstance(kind, type) and issubclass(kind, self.root) and kind is not self.root
        }
        for generic in SERVICE_ERRORS:
            kind = written.get(generic) or self._made(generic, f"{prefix}{generic.__name__}")
            kind.__doc__ = kind.__doc__ or generic.__doc__
            self._kinds[generic] = names[kind.__name__] = kind

    def _made(self, generic: Type[SmartxferError], name: str) -> Type[SmartxferError]:
        parents = [self._kinds[base] for base in generic.__bases__ if base in self._kinds]
        contents = {"__module__": self._module, "__qualname__": name}
        return type(name, (*(parents or [self.root]), generic), contents)

    def kind(self, generic: Type[S]) -> Type[S]:
        """Return the service's subclass of a generic class; the class itself if the service has none."""
        return self._kinds.get(generic, generic)  # type: ignore[return-value]

    def of(self, error: E) -> E:
        """Return an error as one of the service's: the same with the service's class.

        An error that has no such class is returned as it is, and so is one that is a service's already.
        """
        kind: Any = self._kinds.get(type(error))
        if kind is None:
            return error
        made: E = evolve(error, kind)
        return made

    def __reduce__(self) -> Any:
        return (_family, (self._module,))

    def __repr__(self) -> str:
        return f"<the errors below {self.root.__name__}>"


#: For what belongs to no service: every error stays as it is.
GENERIC = ErrorFamily(__name__, SmartxferError)


def _family(module: str) -> ErrorFamily:
    """Return the family of a module, for pickle."""
    __import__(module)
    found: ErrorFamily = getattr(sys.modules[module], "GENERIC" if module == __name__ else "ERRORS")
    return found
