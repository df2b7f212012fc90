"""Names of a package that are loaded on first use."""

import importlib
import sys
from typing import Any, Callable, List, Mapping, Tuple

__all__ = ["build_lazy_module_hooks"]


def build_lazy_module_hooks(
    package: str, names_by_module: Mapping[str, str]
) -> Tuple[Callable[[str], Any], Callable[[], List[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package whose names are loaded on first use.

    :param package: ``__name__`` of the package.
    :param names_by_module: names by module of the package, separated by spaces.
    """
    modules = {name: module for module, names in names_by_module.items() for name in names.split()}
    loaded = vars(sys.modules[package])

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = loaded[name] = getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        return value

    return load, lambda: sorted(loaded["__all__"])
