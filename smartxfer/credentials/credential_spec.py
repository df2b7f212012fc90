"""The names of a service's credentials in every place."""

from types import MappingProxyType
from typing import Any, Callable, FrozenSet, Mapping, NamedTuple, Optional, Tuple, Union

from smartxfer.reprs import short_repr

__all__ = ["CredentialSpec"]


_EMPTY_MAPPING: Mapping[str, Any] = MappingProxyType({})


class CredentialSpec(NamedTuple):
    """The names of one service's credentials in every place where they may stand.

    :param service: name of the service; profiles are sections ``[service]`` and ``[service:profile]``.
    :param fields: our name of each value -> environment variable, or several in order.
    :param netrc: our name -> ``"login"`` or ``"password"``.
    :param secrets: which of them are never shown.
    :param read_config_file: reads the service's own file; our names -> values.  It may raise whatever
        reading raises.
    :param config_file_label: what that file is called where places are listed.
    :param config_file_is_explicit: whether the caller named that file, so that one that cannot be read is an
        error.
    :param config_base_url_is_explicit: whether the caller chose the address in that file, so that it counts
        as one given.
    :param config_file_is_in_working_directory: whether that file is in the working directory, where anybody
        may have put it.
    :param defaults: our name -> the value where no place has one, such as the vendor's address.
    :param normalize_url: makes a base URL of whatever form stands in one of the places.
    :param argument: the argument of the client that takes the credentials; empty: one per value.
    :param ignored_keys: keys of the service's section in a profile that another of its clients reads.
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
        """The environment variables of one value."""
        given = self.fields[name]
        return (given,) if isinstance(given, str) else given
