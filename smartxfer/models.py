"""Structures: what a service answers, as attributes and as a read-only mapping at once.

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

#: Whole numbers are below this one, and those that count something below the other: floats can hold the
#: first, files and ranges the second.
_INT_LIMIT, _COUNT_LIMIT = 10**100, 1 << 63
_FRACTION = re.compile(r"\.([0-9]+)")
_DIGITS = re.compile(r"[+-]?[0-9]{1,100}\Z")


def wire_field(name: str, **options: Any) -> Any:
    """A field whose name on the wire is another, such as ``manifestId``."""
    return attrs.field(metadata={"wire": name}, **options)


def count_field(name: Optional[str] = None, **options: Any) -> Any:
    """Return a field that holds a number of bytes or of things, from 0 up to 2**63 - 1.

    :param name: the name on the wire, where it is another.
    """
    return attrs.field(metadata={"wire": name, "counted": True}, **options)


def secret_field(**options: Any) -> Any:
    """A field that is never shown; its text is a ``Secret``."""
    return attrs.field(metadata={"secret": True}, **options)


def parse_datetime(value: Any) -> Optional[dt.datetime]:
    """Return the moment that a text on the wire stands for, in UTC; None where a calendar knows none."""
    if isinstance(value, str):
        # Before Python 3.11 only three or six digits of a second were read.
        text = _FRACTION.sub(lambda found: f".{found[1][:6]:0<6}", value.replace("Z", "+00:00"), count=1)
        try:
            value = dt.datetime.fromisoformat(text)
        except ValueError:
            return None
    if not isinstance(value, dt.datetime):
        return None
    return value.astimezone(dt.timezone.utc) if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)


class OpenEnum(str):
    """A word of an open vocabulary: known words are constants of the class, unknown ones are kept."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """The word as plain text, as enumerations have it."""
        return str(self)


class OpaqueId(str):
    """An opaque id: text, also where a service sends a number."""

    __slots__ = ()


class Model(Mapping[str, Any]):
    """Base of all: ``x["wireName"]`` is the value on the wire, ``x.wire_name`` the converted one."""

    #: The errors of the service that the structure belongs to.
    _errors: ClassVar[ErrorFamily] = GENERIC_ERRORS
    _wire: Mapping[str, Any] = {}

    def __attrs_post_init__(self) -> None:
        # What is made by hand has a wire form too; from_wire puts the answer itself in its place.
        made = {field: getattr(self, field.name) for field in _attrs_fields(type(self)) if field.init}
        wire = {wire_name(field): value for field, value in made.items() if value is not None}
        object.__setattr__(self, "_wire", wire)

    @classmethod
    def from_wire(cls: Type[S], data: Mapping[str, Any], request: str = "") -> S:
        """The structure of a decoded answer; one that is a structure already is returned as it is.

        :param request: the call that was answered, for messages.
        :raises DecodeError: a field is missing or of the wrong type; the message names it.
        """
        if isinstance(data, cls):
            return data
        try:
            return _converter.structure(data, cls)
        except Exception as error:  # noqa: BLE001 - cattrs raises a group, or whatever a hook raised
            if _has_memory_error(error):
                raise out_of_memory_error() from None
            problems = "; ".join(cattrs.transform_error(error, path=cls.__name__))
        data = {}  # a traceback with local variables would show the tokens in it
        said = f"{request}: " if request else ""
        kind = cls._errors.class_for(DecodeError)
        raise kind(f"{said}the answer is not as the protocol says: {problems[:300]}")

    @property
    def extra(self) -> Dict[str, Any]:
        """Fields of the answer that this version does not know."""
        known = {wire_name(field) for field in _attrs_fields(type(self))}
        return {name: value for name, value in self._wire.items() if name not in known}

    def to_dict(self) -> Dict[str, Any]:
        """Return what was on the wire as plain dicts and lists, fit for ``json.dumps``."""
        found: Dict[str, Any] = to_wire(self)
        return found

    def evolve(self: S, **values: Any) -> S:
        """A copy with other attributes; what was on the wire stays as it was."""
        made = copy.copy(self)
        for name, value in values.items():
            object.__setattr__(made, name, value)
        return made

    def __getitem__(self, name: str) -> Any:
        return self._wire[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._wire)

    def __len__(self) -> int:
        return len(self._wire)

    def __repr__(self) -> str:
        shown: Dict[str, Any] = {}
        for field in sorted(_attrs_fields(type(self)), key=lambda field: field.default is not attrs.NOTHING):
            value = getattr(self, field.name)
            private = field.name.startswith("_") or field.metadata.get("secret")
            if private or value is None or value in ("", (), []) or value == {}:
                continue
            shown[field.name] = value
        return short_repr(type(self).__name__, **shown)


def _attrs_fields(kind: Any) -> "tuple[attrs.Attribute[Any], ...]":
    return attrs.fields(kind)  # type: ignore[no-any-return]


def wire_name(field: "attrs.Attribute[Any]") -> str:
    """A field's name on the wire: its own, or the one given; ``from_`` stands for ``from``."""
    given = field.metadata.get("wire")
    if given:
        return str(given)
    bare = field.name.rstrip("_")
    return bare if keyword.iskeyword(bare) or bare == "self" else field.name


def to_wire(value: Any) -> Any:
    """Plain dicts and lists, ready to be sent, of structures nested in whatever way."""
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
            raise TypeError(f"{type(data).__name__} where an object was promised")
        made = fill(data, kind)
        for name in bounded:
            value = getattr(made, name)
            if value is not None and not 0 <= value < _COUNT_LIMIT:
                raise TypeError(f"{name} is {'too large' if value > 0 else 'below 0'}")
        for name in secrets:
            object.__setattr__(made, name, as_secret(getattr(made, name)))
        object.__setattr__(made, "_wire", dict(data))
        return made

    return structure


def _is_list_type(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is list


def _build_list_hook(kind: Any) -> Any:
    """Return what converts a list: text and objects can be iterated over, too, and are not lists."""
    [inner] = kind.__args__

    def structure(value: Any, _: Any) -> List[Any]:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{type(value).__name__} where a list was promised")
        made: List[Any] = []
        failed: List[Exception] = []
        for index, one in enumerate(value):
            try:
                made.append(_converter.structure(one, inner))
            except Exception as error:  # noqa: BLE001 - cattrs collects whatever a hook raised
                told = f"Structuring {kind} @ index {index}"
                note = cattrs.IterableValidationNote(told, index, inner)
                error.__notes__ = [*getattr(error, "__notes__", []), note]  # type: ignore[attr-defined]
                failed.append(error)
        if failed:
            raise cattrs.IterableValidationError(f"While structuring {kind}", failed, kind)
        return made

    return structure


def _has_memory_error(error: BaseException) -> bool:
    """Return True if a MemoryError is what cattrs collected."""
    return isinstance(error, MemoryError) or any(map(_has_memory_error, getattr(error, "exceptions", ())))


def _str_hook(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text was promised")
    return value


def _id_hook(value: Any, kind: Any) -> OpaqueId:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"{type(value).__name__} where an id was promised")
    return OpaqueId(value)


def _bool_hook(value: Any, _: Any) -> bool:
    if not isinstance(value, (bool, int)):
        raise TypeError(f"{type(value).__name__} where true or false was promised")
    return bool(value)


def _int_hook(value: Any, _: Any) -> int:
    """A whole number, which some services send as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{type(value).__name__} where a whole number was promised")
    if isinstance(value, str) and not _DIGITS.match(value):
        raise TypeError("text where a whole number was promised")
    if isinstance(value, float) and not value.is_integer():
        raise TypeError("a fraction where a whole number was promised")
    found = int(value)
    if not -_INT_LIMIT < found < _INT_LIMIT:
        raise TypeError("a whole number that is too large")
    return found


def _float_hook(value: Any, _: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__} where a number was promised")
    found = float(value)
    if not math.isfinite(found):
        raise TypeError("a number that is not finite")
    return found


_converter = cattrs.Converter()
_converter.register_structure_hook_factory(_is_model, _build_model_hook)
_converter.register_structure_hook_factory(_is_list_type, _build_list_hook)
_converter.register_structure_hook(float, _float_hook)
_converter.register_structure_hook(str, _str_hook)
_converter.register_structure_hook(dt.datetime, _str_hook)  # the field's converter makes a moment of it
_converter.register_structure_hook(OpenEnum, lambda value, kind: kind(_str_hook(value, kind)))
_converter.register_structure_hook(OpaqueId, _id_hook)
_converter.register_structure_hook(int, _int_hook)
_converter.register_structure_hook(bool, _bool_hook)
