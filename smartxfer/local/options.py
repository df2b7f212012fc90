"""Configuration of a service: named values with validators."""

import difflib
import secrets
import string
from typing import Any, ClassVar, Dict, Mapping, Optional, Tuple, Type, TypeVar

import attrs

from smartxfer.errors import UsageError

OptionsType = TypeVar("OptionsType", bound="Options")


def validate_count(instance: Any, attribute: "attrs.Attribute[int]", value: Any) -> None:
    """Validate a whole number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{attribute.name} must be a whole number of 0 or more, not {value!r}")


@attrs.frozen
class Options:
    """Base of each service's configuration.

    :param port: port to listen on, 0 for any.
    """

    #: Name of the service in messages.
    title: ClassVar[str] = ""
    #: Values that cannot change while the service runs.
    fixed: ClassVar[Tuple[str, ...]] = ("port", "users")

    port: int = attrs.field(default=0, validator=validate_count)

    @classmethod
    def from_options(cls: Type[OptionsType], options: Optional[Mapping[str, Any]]) -> OptionsType:
        """Return a configuration with some values changed from the defaults.

        :param options: values by name.
        :raises UsageError: unknown name or invalid value.
        """
        value = dict(options or {})
        known = [field.name for field in _fields(cls)]
        unknown = sorted(set(value) - set(known), key=str)
        if unknown:
            like = difflib.get_close_matches(str(unknown[0]), known, n=1)
            raise UsageError(
                "no such {} option: {}".format(cls.title, ", ".join(map(str, unknown))),
                hint=f"write {like[0]!r}" if like else f"write one of: {', '.join(known)}",
            )
        instance = cls(**value)
        instance.check()
        return instance

    def changed(self: OptionsType, options: Mapping[str, Any]) -> OptionsType:
        """Return a copy with some values changed, except fixed ones.

        :raises UsageError: unknown name or invalid value.
        """
        known = {field.name: getattr(self, field.name) for field in _fields(type(self))}
        fixed = {name: known[name] for name in self.fixed}
        return self.from_options({**known, **options, **fixed})

    def check(self) -> None:
        """Raise UsageError for invalid values or combinations of values."""


def _fields(kind: Any) -> "Tuple[attrs.Attribute[Any], ...]":
    return attrs.fields(kind)  # type: ignore[no-any-return]


def validate_size(instance: Any, attribute: "attrs.Attribute[int]", value: Any) -> None:
    """Validate a whole number above 0."""
    validate_count(instance, attribute, value)
    if not value:
        raise UsageError(f"{attribute.name} must be above 0", hint=f"pass {attribute.name}=1 or more")


def one_of(*words: Any) -> Any:
    """Return a validator that accepts these values."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value not in words:
            known = ", ".join(map(str, words))
            raise UsageError(f"{attribute.name} must be one of {known}, not {value!r}")

    return check


def validate_number(instance: Any, attribute: "attrs.Attribute[float]", value: Any) -> None:
    """Validate a number of 0 or more."""
    if type(value) not in (int, float) or value < 0:
        raise UsageError(f"{attribute.name} must be a number of 0 or more, not {value!r}")


def split_words(value: Any) -> Tuple[str, ...]:
    """Return a tuple of words, from one word or several."""
    return (value,) if isinstance(value, str) else tuple(value)


def random_word(length: int) -> str:
    """Return random letters and digits, for a generated credential."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def parse_users(value: Any) -> Dict[str, Optional[str]]:
    """Return users with their keys, from a mapping, names or one name; a key None is generated."""
    if isinstance(value, Mapping):
        keys_by_user = dict(value)
    else:
        keys_by_user = dict.fromkeys([value] if isinstance(value, str) else value)
    if not keys_by_user:
        raise UsageError("users: at least one is needed", hint="pass users=['ann'], or leave it out")
    return keys_by_user
