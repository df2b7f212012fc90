"""Values that were found, each with its source and the origin that it is for."""

import logging
from typing import Dict, List, Mapping, Optional, Tuple

import attrs

from smartxfer.credentials.names import ServiceNames
from smartxfer.credentials.rules import Address, AddressKind, Place, PlaceKind, refusal
from smartxfer.error_families import GENERIC, ErrorFamily
from smartxfer.errors import ConfigError, CredentialError, UsageError
from smartxfer.transport import redact
from smartxfer.transport.origin import Origin

__all__ = ["Credentials"]

log = logging.getLogger("smartxfer.credentials")


@attrs.frozen
class _Candidate:
    """A value in a place.

    :param source: name of the place, with the variable.
    :param label: what is there, for messages: ``DEPOT_KEY is set``.
    """

    name: str
    value: str = attrs.field(repr=False)
    source: str
    label: str
    place: Place


class Credentials:
    """Values with their sources, the origin that they count for, and every place that was looked at.

    Values are added in the order of their places; :meth:`settle` then decides which address is in use, and
    which values may go there.

    :param kind: where an address comes from that is among the arguments.
    :param errors: the service's.
    """

    def __init__(
        self,
        names: ServiceNames,
        kind: AddressKind = AddressKind.EXPLICIT,
        errors: ErrorFamily = GENERIC,
    ) -> None:
        self._names = names
        self._errors = errors
        self._kind = kind
        self._candidates: List[_Candidate] = []
        self._found: Dict[str, _Candidate] = {}
        self._unused: List[Tuple[str, str]] = []
        self._settled = False
        # The address in use, once it is known.
        self.address: Optional[Address] = None
        #: Every place looked at, in order.
        self.places: List[str] = []

    def place(
        self, source: str, kind: PlaceKind, site: Optional[str] = None, site_source: str = ""
    ) -> Place:
        """Return a place of values.

        :param site: the address that it names.
        """
        if not site:
            return Place(source, kind)
        try:
            return Place(source, kind, Origin.of(self._names.clean_url(site)), site_source or source)
        except UsageError:
            return Place(source, kind, None, site_source or source, odd=True)

    def add(
        self, place: Place, values: Mapping[str, Optional[str]], source: Optional[str] = None, label: str = ""
    ) -> None:
        """Add the values of a place.

        :param source: name of the place where it is not the group's.
        :param label: what is there, for messages; by default it is made of names.
        """
        source = source or place.source
        if place.kind is not PlaceKind.DEFAULT and source not in self.places:
            self.places.append(source)
        for name, value in values.items():
            if value and name in self._names.fields:
                if not label and place.kind is PlaceKind.ARGUMENTS:
                    shown = f"{name} is among the arguments"
                else:
                    shown = label or f"{source} has a value of {name}"
                text = redact.remember_secret(value) if name in self._names.secrets else str(value)
                candidate = _Candidate(name, text, source, shown, place)
                self._candidates.append(candidate)
                if self._settled:
                    self._take(candidate)

    def settle(self) -> None:
        """Decide which address is in use, and take the values that may go there; later ones when added.

        :raises ConfigError: the address is not a URL; of an argument, UsageError.
        """
        chosen = next((candidate for candidate in self._candidates if candidate.name == "base_url"), None)
        if chosen is not None:
            url = self._clean_url(chosen.value, chosen.source)
            self._found["base_url"] = attrs.evolve(chosen, value=url)
            self.address = Address(Origin.of(url), self._kind_of(chosen.place), chosen.place, chosen.source)
        self._settled = True
        for candidate in self._candidates:
            self._take(candidate)

    def _kind_of(self, place: Place) -> AddressKind:
        if place.kind is PlaceKind.ARGUMENTS:
            return self._kind
        if place.kind is PlaceKind.DEFAULT:
            return AddressKind.DEFAULT
        own = self._names.own_chosen and place.source == self._names.own_place
        return AddressKind.EXPLICIT if own else AddressKind.PLACE

    def _take(self, candidate: _Candidate) -> None:
        name = candidate.name
        if name in self._found or name == "base_url":
            return
        why = refusal(candidate.place, self.address, secret=self._has_secret(candidate))
        if why is None:
            self._found[name] = candidate
        elif (name, f"{candidate.label}, but {why}") not in self._unused:
            self._unused.append((name, f"{candidate.label}, but {why}"))

    def _has_secret(self, candidate: _Candidate) -> bool:
        """Return whether a value is a secret, or the name of the user whose secret is in the same place."""
        secrets = self._names.secrets
        return candidate.name in secrets or any(
            other.place is candidate.place and other.name in secrets for other in self._candidates
        )

    def broken(self, source: str, why: str) -> None:
        """Warn of a source that cannot be read, and list it.

        :param why: the reason, without anything that the source contains.
        """
        log.warning("credentials: %s is ignored: %s", source, why)
        self.places.append(f"{source} (ignored: {why})")

    def _clean_url(self, value: str, source: str) -> str:
        """Return a base URL in its usual form.

        :raises ConfigError: it is not a URL; of an argument, UsageError.
        """
        try:
            clean = self._names.clean_url(value)
            Origin.of(clean)
        except UsageError as error:
            if source == "arguments":
                raise
            raise ConfigError(f"{source}: {error.summary}", hint=error.hint or None) from None
        return clean

    def get(self, name: str) -> Optional[str]:
        """The value, or None."""
        found = self._found.get(name)
        return None if found is None else found.value

    def unused(self, *names: str) -> List[str]:
        """Return a sentence for each value that was found and is not used, with the reason."""
        return [why for name, why in self._unused if name in names]

    def require(self, *names: str) -> Dict[str, str]:
        """The values.

        :raises CredentialError: one is missing; the message lists every place looked at, and each value that
            was found there and is not used, with the reason.
        """
        missing = [name for name in names if name not in self._found]
        if missing:
            where = f" for {self.address.origin}" if self.address is not None else ""
            looked = f"looked at {', '.join(self.places)}"
            raise self._errors.kind(CredentialError)(
                f"{self._names.service}: no {' and no '.join(missing)}{where}; "
                + "; ".join([looked, *self.unused(*missing)]),
                hint=self._hint(missing),
            )
        return {name: self._found[name].value for name in names}

    def _hint(self, missing: List[str]) -> str:
        if self.address is not None and self.address.kind is AddressKind.TOKEN_LINK:
            return f"to use an account, give the client {self.address.origin} instead of the link"
        wanted = [*missing]
        if self.unused(*missing) and "base_url" not in missing:
            wanted.insert(0, "base_url")
        variables = [self._names.variables(name)[0] for name in wanted if self._names.variables(name)]
        return f"pass it, or set {' and '.join(variables)}" if variables else f"pass {' and '.join(missing)}"

    def explain(self) -> List[Tuple[str, str, str]]:
        """Return (name, value or mask, source) of each value; ``""`` and ``"not found"`` for a missing one.

        The source also tells the origin that a value is for, and why another one that was found is not used.
        """
        rows = []
        for name in self._names.fields:
            found = self._found.get(name)
            value, source = ("", "not found") if found is None else (found.value, found.source)
            if found is not None and name != "base_url" and self.address is not None:
                source = f"{source}, for {self.address.origin}"
            source = "; ".join([source, *self.unused(name)])
            rows.append((name, _masked(value) if name in self._names.secrets else value, source))
        return rows

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} from {source}" for name, _, source in self.explain())
        return f"Credentials({shown:.180})"


def _masked(value: str) -> str:
    return "" if not value else "***" if len(value) < 12 else f"{value[:2]}***{value[-2:]}"
