"""Names of a package that are loaded on first use."""

import importlib
import sys
from typing import Any, Callable, List, Mapping, Tuple

__all__ = ["build_lazy_module_hooks"]


def build_lazy_module_hooks(
    package: str, names_by_module: Mapping[str, str]
) -> Tuple[Callable[[str], Any], Callable[[], List[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package whose names are loaded on first use.

    :param package: its ``__name__``.
    :param names_by_module: the names of each module of the package, with blanks between them.
    """
    homes = {name: module for module, names in names_by_module.items() for name in names.split()}
    loaded = vars(sys.modules[package])

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = loaded[name] = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        return value

    return load, lambda: sorted(loaded["__all__"])
