"""What can be set on a service of the local server: values by name, each checked."""

import difflib
import secrets
import string
from typing import Any, ClassVar, Dict, Mapping, Optional, Tuple, Type, TypeVar

import attrs

from smartxfer.errors import UsageError

Own = TypeVar("Own", bound="Options")


def a_count(instance: Any, attribute: "attrs.Attribute[int]", value: Any) -> None:
    """Validate a whole number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{attribute.name} is a whole number of 0 or more, not {value!r}")


@attrs.frozen
class Options:
    """Base of each service's configuration.

    :param port: port to listen on, 0 for any.
    """

    #: How the service is called in messages.
    title: ClassVar[str] = ""
    #: Values that a running service keeps.
    fixed: ClassVar[Tuple[str, ...]] = ("port", "users")

    port: int = attrs.field(default=0, validator=a_count)

    @classmethod
    def from_options(cls: Type[Own], options: Optional[Mapping[str, Any]]) -> Own:
        """A configuration with some values of its own.

        :param options: values by the names above.
        :raises UsageError: a name is unknown or a value is not possible.
        """
        given = dict(options or {})
        known = [field.name for field in _fields(cls)]
        unknown = sorted(set(given) - set(known), key=str)
        if unknown:
            like = difflib.get_close_matches(str(unknown[0]), known, n=1)
            raise UsageError(
                "no such {} option: {}; there are {}".format(
                    cls.title, ", ".join(map(str, unknown)), ", ".join(known)
                ),
                hint=f"write {like[0]!r}" if like else "",
            )
        made = cls(**given)
        made.check()
        return made

    def changed(self: Own, options: Mapping[str, Any]) -> Own:
        """The same with some values changed, but for those that are fixed.

        :raises UsageError: a name is unknown or a value is not possible.
        """
        known = {field.name: getattr(self, field.name) for field in _fields(type(self))}
        fixed = {name: known[name] for name in self.fixed}
        return self.from_options({**known, **options, **fixed})

    def check(self) -> None:
        """Raise UsageError where values are not possible, alone or together."""


def _fields(kind: Any) -> "Tuple[attrs.Attribute[Any], ...]":
    return attrs.fields(kind)  # type: ignore[no-any-return]


def a_size(instance: Any, attribute: "attrs.Attribute[int]", value: Any) -> None:
    """Validate a whole number above 0."""
    a_count(instance, attribute, value)
    if not value:
        raise UsageError(f"{attribute.name} is above 0")


def a_word(*words: Any) -> Any:
    """A validator that admits these values."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value not in words:
            known = ", ".join(map(str, words))
            raise UsageError(f"{attribute.name} is one of {known}, not {value!r}")

    return check


def a_number(instance: Any, attribute: "attrs.Attribute[float]", value: Any) -> None:
    """Validate a number of 0 or more."""
    if type(value) not in (int, float) or value < 0:
        raise UsageError(f"{attribute.name} is a number, 0 or more, not {value!r}")


def words(value: Any) -> Tuple[str, ...]:
    """Several words, or one."""
    return (value,) if isinstance(value, str) else tuple(value)


def random_word(length: int) -> str:
    """Return random letters and digits, for a credential that is made here."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def users(value: Any) -> Dict[str, Optional[str]]:
    """Users with their keys, of a mapping, of names, or of one name; None stands for a key that is made."""
    if isinstance(value, Mapping):
        found = dict(value)
    else:
        found = dict.fromkeys([value] if isinstance(value, str) else value)
    if not found:
        raise UsageError("users: at least one is needed")
    return found
