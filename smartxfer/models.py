"""Models of JSON objects from a service, with attributes, and as read-only mappings.

>>> import attrs
>>> from typing import Optional
>>> @attrs.frozen(slots=False, eq=False, repr=False)
... class Parcel(Model):
...     id: int
...     from_: Optional[str] = None
>>> parcel = Parcel.from_wire({"id": "7", "from": "ann", "colour": "red"})
>>> parcel
Parcel(id=7, from_='ann')
>>> parcel.id, parcel["id"], parcel["from"], parcel.extra
(7, '7', 'ann', {'colour': 'red'})
"""

import copy
import datetime as dt
import keyword
import math
import re
from typing import Any, ClassVar, Dict, Iterator, List, Mapping, Optional, Type, TypeVar

import attrs
import cattrs
import cattrs.gen

from smartxfer.error_families import GENERIC_ERRORS, ErrorFamily
from smartxfer.errors import DecodeError
from smartxfer.reprs import short_repr
from smartxfer.secret_text import as_secret
from smartxfer.transport.error_mapping import out_of_memory_error

__all__ = [
    "Model",
    "OpaqueId",
    "OpenEnum",
    "count_field",
    "parse_datetime",
    "secret_field",
    "to_wire",
    "wire_field",
]

S = TypeVar("S", bound="Model")

#: Limits of integers, and of integers that count bytes or objects.
_INT_LIMIT, _COUNT_LIMIT = 10**100, 1 << 63
_FRACTION = re.compile(r"\.([0-9]+)")
_DIGITS = re.compile(r"[+-]?[0-9]{1,100}\Z")


def wire_field(name: str, **options: Any) -> Any:
    """Return a field with another name in JSON, such as ``manifestId``."""
    return attrs.field(metadata={"wire": name}, **options)


def count_field(name: Optional[str] = None, **options: Any) -> Any:
    """Return a field for a number of bytes or objects, from 0 to 2**63 - 1.

    :param name: its name in JSON, if that is different.
    """
    return attrs.field(metadata={"wire": name, "counted": True}, **options)


def secret_field(**options: Any) -> Any:
    """Return a field that is never shown; its text is a ``Secret``."""
    return attrs.field(metadata={"secret": True}, **options)


def parse_datetime(value: Any) -> Optional[dt.datetime]:
    """Return a timestamp in UTC; None if it is missing or cannot be parsed."""
    if isinstance(value, str):
        # Before Python 3.11 fromisoformat() accepted only three or six digits of a second.
        text = _FRACTION.sub(lambda match: f".{match[1][:6]:0<6}", value.replace("Z", "+00:00"), count=1)
        try:
            value = dt.datetime.fromisoformat(text)
        except ValueError:
            return None
    if not isinstance(value, dt.datetime):
        return None
    return value.astimezone(dt.timezone.utc) if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)


class OpenEnum(str):
    """A value of an open enumeration: known values are constants of the class, unknown ones are kept."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """The value as plain text, as in ``enum.Enum``."""
        return str(self)


class OpaqueId(str):
    """An opaque id: text, even if the service sends a number."""

    __slots__ = ()


class Model(Mapping[str, Any]):
    """Base of all models: ``x["wireName"]`` is the value in JSON, ``x.wire_name`` the converted value."""

    #: The errors of the service.
    _error_family: ClassVar[ErrorFamily] = GENERIC_ERRORS
    _wire: Mapping[str, Any] = {}

    def __attrs_post_init__(self) -> None:
        # For instances that were not created by from_wire(), which stores the original JSON.
        values = {field: getattr(self, field.name) for field in _attrs_fields(type(self)) if field.init}
        wire = {wire_name(field): value for field, value in values.items() if value is not None}
        object.__setattr__(self, "_wire", wire)

    @classmethod
    def from_wire(cls: Type[S], data: Mapping[str, Any], request: str = "") -> S:
        """Return an instance for decoded JSON; an instance is returned unchanged.

        :param request: description of the request, for messages.
        :raises DecodeError: a field is missing or has the wrong type; the message names it.
        """
        if isinstance(data, cls):
            return data
        try:
            return _converter.structure(data, cls)
        except Exception as error:  # noqa: BLE001 - cattrs raises a group, or any exception of a hook
            if _has_memory_error(error):
                raise out_of_memory_error() from None
            problems = "; ".join(cattrs.transform_error(error, path=cls.__name__))
        data = {}  # a traceback with local variables would show tokens
        prefix = f"{request}: " if request else ""
        error_class = cls._error_family.class_for(DecodeError)
        raise error_class(f"{prefix}the response does not follow the protocol: {problems[:300]}")

    @property
    def extra(self) -> Dict[str, Any]:
        """Fields of the response that this version does not know."""
        known = {wire_name(field) for field in _attrs_fields(type(self))}
        return {name: value for name, value in self._wire.items() if name not in known}

    def to_dict(self) -> Dict[str, Any]:
        """Return the original JSON as plain dicts and lists, suitable for ``json.dumps``."""
        wire: Dict[str, Any] = to_wire(self)
        return wire

    def evolve(self: S, **values: Any) -> S:
        """Return a copy with other attributes; the original JSON is not changed."""
        changed = copy.copy(self)
        for name, value in values.items():
            object.__setattr__(changed, name, value)
        return changed

    def __getitem__(self, name: str) -> Any:
        return self._wire[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._wire)

    def __len__(self) -> int:
        return len(self._wire)

    def __repr__(self) -> str:
        fields: Dict[str, Any] = {}
        for field in sorted(_attrs_fields(type(self)), key=lambda field: field.default is not attrs.NOTHING):
            value = getattr(self, field.name)
            private = field.name.startswith("_") or field.metadata.get("secret")
            if private or value is None or value in ("", (), []) or value == {}:
                continue
            fields[field.name] = value
        return short_repr(type(self).__name__, **fields)


def _attrs_fields(kind: Any) -> "tuple[attrs.Attribute[Any], ...]":
    return attrs.fields(kind)  # type: ignore[no-any-return]


def wire_name(field: "attrs.Attribute[Any]") -> str:
    """Return the JSON name of a field: the name in its metadata, or its own without a trailing ``_``."""
    name = field.metadata.get("wire")
    if name:
        return str(name)
    bare = field.name.rstrip("_")
    return bare if keyword.iskeyword(bare) or bare == "self" else field.name


def to_wire(value: Any) -> Any:
    """Return plain dicts and lists for nested models."""
    if isinstance(value, Mapping):
        return {name: to_wire(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_wire(part) for part in value]
    return value


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _build_model_hook(kind: Type[S]) -> Any:
    names = {
        field.name: cattrs.gen.override(rename=wire_name(field))
        for field in _attrs_fields(kind)
        if field.init and wire_name(field) != field.name
    }
    bounded = [field.name for field in _attrs_fields(kind) if field.metadata.get("counted")]
    secrets = [field.name for field in _attrs_fields(kind) if field.metadata.get("secret")]
    fill: Any = cattrs.gen.make_dict_structure_fn(kind, _converter, **names)  # type: ignore[arg-type]

    def structure(data: Any, _: Any) -> Any:
        if isinstance(data, kind):
            return data
        if not isinstance(data, Mapping):
            raise TypeError(f"{type(data).__name__} instead of an object")
        model = fill(data, kind)
        for name in bounded:
            value = getattr(model, name)
            if value is not None and not 0 <= value < _COUNT_LIMIT:
                raise TypeError(f"{name} is {'too large' if value > 0 else 'below 0'}")
        for name in secrets:
            object.__setattr__(model, name, as_secret(getattr(model, name)))
        object.__setattr__(model, "_wire", dict(data))
        return model

    return structure


def _is_list_type(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is list


def _build_list_hook(kind: Any) -> Any:
    """Return a hook for lists, which rejects text and objects, although they are iterable."""
    [inner] = kind.__args__

    def structure(value: Any, _: Any) -> List[Any]:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{type(value).__name__} instead of a list")
        items: List[Any] = []
        errors: List[Exception] = []
        for index, item in enumerate(value):
            try:
                items.append(_converter.structure(item, inner))
            except Exception as error:  # noqa: BLE001 - cattrs collects any exception of a hook
                text = f"Structuring {kind} @ index {index}"
                note = cattrs.IterableValidationNote(text, index, inner)
                error.__notes__ = [*getattr(error, "__notes__", []), note]  # type: ignore[attr-defined]
                errors.append(error)
        if errors:
            raise cattrs.IterableValidationError(f"While structuring {kind}", errors, kind)
        return items

    return structure


def _has_memory_error(error: BaseException) -> bool:
    """Return True if cattrs collected a MemoryError."""
    return isinstance(error, MemoryError) or any(map(_has_memory_error, getattr(error, "exceptions", ())))


def _str_hook(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} instead of text")
    return value


def _id_hook(value: Any, kind: Any) -> OpaqueId:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"{type(value).__name__} instead of an id")
    return OpaqueId(value)


def _bool_hook(value: Any, _: Any) -> bool:
    if not isinstance(value, (bool, int)):
        raise TypeError(f"{type(value).__name__} instead of true or false")
    return bool(value)


def _int_hook(value: Any, _: Any) -> int:
    """Return an integer, which some services send as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{type(value).__name__} instead of an integer")
    if isinstance(value, str) and not _DIGITS.match(value):
        raise TypeError("text instead of an integer")
    if isinstance(value, float) and not value.is_integer():
        raise TypeError("a fraction instead of an integer")
    number = int(value)
    if not -_INT_LIMIT < number < _INT_LIMIT:
        raise TypeError("an integer that is too large")
    return number


def _float_hook(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__} instead of a number")
    number = float(value)
    if not math.isfinite(number):
        raise TypeError("a number that is not finite")
    return number


_converter = cattrs.Converter()
_converter.register_structure_hook_factory(_is_model, _build_model_hook)
_converter.register_structure_hook_factory(_is_list_type, _build_list_hook)
_converter.register_structure_hook(float, _float_hook)
_converter.register_structure_hook(str, _str_hook)
_converter.register_structure_hook(dt.datetime, _str_hook)  # the converter of the field parses the text
_converter.register_structure_hook(OpenEnum, lambda value, kind: kind(_str_hook(value, kind)))
_converter.register_structure_hook(OpaqueId, _id_hook)
_converter.register_structure_hook(int, _int_hook)
_converter.register_structure_hook(bool, _bool_hook)
