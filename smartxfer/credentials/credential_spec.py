"""Names of the credentials of a service in every source."""

from types import MappingProxyType
from typing import Any, Callable, FrozenSet, Mapping, NamedTuple, Optional, Tuple, Union

from smartxfer.reprs import short_repr

__all__ = ["CredentialSpec"]


_EMPTY_MAPPING: Mapping[str, Any] = MappingProxyType({})


class CredentialSpec(NamedTuple):
    """Names of the credentials of one service in every source.

    :param service: name of the service; profiles are sections ``[service]`` and ``[service:profile]``.
    :param fields: name of each value -> environment variable, or several in order.
    :param netrc: name -> ``"login"`` or ``"password"``.
    :param secrets: names of values that are never shown.
    :param read_config_file: reads the service's own file and returns name -> value; may raise any exception.
    :param config_file_label: name of that file in messages.
    :param config_file_is_explicit: True if the caller chose that file: it is an error if it is unreadable.
    :param config_base_url_is_explicit: True if the caller chose the base URL in that file.
    :param config_file_is_in_working_directory: True if that file is in the working directory, where another
        user may have created it.
    :param defaults: name -> value that is used if no source has one, such as the URL of the vendor.
    :param normalize_url: returns the base URL for a URL in one of the sources.
    :param ignored_keys: keys in the service's section of a profile that another client of the service reads.
    :param argument: argument of the client for the credentials; empty: one argument per value.
    """

    service: str
    fields: Mapping[str, Union[str, Tuple[str, ...]]]
    netrc: Mapping[str, str] = _EMPTY_MAPPING
    secrets: FrozenSet[str] = frozenset()
    read_config_file: Optional[Callable[[], Mapping[str, str]]] = None
    config_file_label: str = "the service's own file"
    config_file_is_explicit: bool = False
    config_base_url_is_explicit: bool = False
    config_file_is_in_working_directory: bool = False
    defaults: Mapping[str, str] = _EMPTY_MAPPING
    normalize_url: Callable[[str], str] = str
    ignored_keys: FrozenSet[str] = frozenset()
    argument: str = ""

    def __repr__(self) -> str:
        defaults = type(self)._field_defaults
        changed = {name: value for name, value in self._asdict().items() if defaults.get(name, self) != value}
        return short_repr("CredentialSpec", **changed)

    def variables(self, name: str) -> Tuple[str, ...]:
        """Return the environment variables of one value."""
        variables = self.fields[name]
        return (variables,) if isinstance(variables, str) else variables
