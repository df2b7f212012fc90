"""The names of a service's credentials in every place."""

from types import MappingProxyType
from typing import Any, Callable, FrozenSet, Mapping, NamedTuple, Optional, Tuple, Union

from smartxfer.reprs import short_repr

__all__ = ["ServiceNames"]


_NONE: Mapping[str, Any] = MappingProxyType({})


class ServiceNames(NamedTuple):
    """The names of one service's credentials in every place where they may stand.

    :param service: name of the service; profiles are sections ``[service]`` and ``[service:profile]``.
    :param fields: our name of each value -> environment variable, or several in order.
    :param netrc: our name -> ``"login"`` or ``"password"``.
    :param secrets: which of them are never shown.
    :param own_file: reads the service's own file; our names -> values.  It may raise whatever reading raises.
    :param own_place: what that file is called where places are listed.
    :param own_named: whether the caller named that file, so that one that cannot be read is an error.
    :param own_chosen: whether the caller chose the address in that file, so that it counts as one given.
    :param own_local: whether that file is in the working directory, where anybody may have put it.
    :param defaults: our name -> the value where no place has one, such as the vendor's address.
    :param clean_url: makes a base URL of whatever form stands in one of the places.
    :param also_known: keys of the service's section in a profile that another of its clients reads.
    """

    service: str
    fields: Mapping[str, Union[str, Tuple[str, ...]]]
    netrc: Mapping[str, str] = _NONE
    secrets: FrozenSet[str] = frozenset()
    own_file: Optional[Callable[[], Mapping[str, str]]] = None
    own_place: str = "the service's own file"
    own_named: bool = False
    own_chosen: bool = False
    own_local: bool = False
    defaults: Mapping[str, str] = _NONE
    clean_url: Callable[[str], str] = str
    also_known: FrozenSet[str] = frozenset()

    def __repr__(self) -> str:
        defaults = type(self)._field_defaults
        changed = {name: value for name, value in self._asdict().items() if defaults.get(name, self) != value}
        return short_repr("ServiceNames", **changed)

    def variables(self, name: str) -> Tuple[str, ...]:
        """The environment variables of one value."""
        given = self.fields[name]
        return (given,) if isinstance(given, str) else given
