"""Values that were found, each with its source and the origin that it is for."""

import logging
from typing import Dict, List, Mapping, Optional, Tuple

import attrs

from smartxfer.credentials.credential_spec import CredentialSpec
from smartxfer.credentials.origin_binding import BaseURL, BaseURLKind, Source, SourceKind, explain_unused
from smartxfer.error_families import GENERIC_ERRORS, ErrorFamily
from smartxfer.errors import ConfigError, CredentialError, UsageError
from smartxfer.transport import redaction
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
    source_name: str
    description: str
    source: Source


class Credentials:
    """Values with their sources, the origin that they count for, and every place that was looked at.

    Values are added in the order of their places.  :meth:`select_values` then decides which address is in
    use, and which values may go there.

    :param kind: where an address comes from that is among the arguments.
    :param errors: the service's.
    """

    def __init__(
        self,
        spec: CredentialSpec,
        kind: BaseURLKind = BaseURLKind.EXPLICIT,
        errors: ErrorFamily = GENERIC_ERRORS,
    ) -> None:
        self._spec = spec
        self._errors = errors
        self._base_url_kind = kind
        self._candidates: List[_Candidate] = []
        self._values: Dict[str, _Candidate] = {}
        self._unused_reasons: List[Tuple[str, str]] = []
        self._selected = False
        # The address in use, once it is known.
        self.base_url_in_use: Optional[BaseURL] = None
        #: Every place looked at, in order.
        self.searched: List[str] = []
        #: What the user can correct in the places that were searched, each an imperative.
        self.remedies: List[str] = []

    def new_source(
        self, name: str, kind: SourceKind, base_url: Optional[str] = None, base_url_source: str = ""
    ) -> Source:
        """Return a place of values.

        :param base_url: the address that it names.
        """
        if not base_url:
            return Source(name, kind)
        try:
            return Source(
                name, kind, Origin.parse(self._spec.normalize_url(base_url)), base_url_source or name
            )
        except UsageError:
            return Source(name, kind, None, base_url_source or name, has_invalid_origin=True)

    def add(
        self,
        source: Source,
        values: Mapping[str, Optional[str]],
        source_name: Optional[str] = None,
        description: str = "",
    ) -> None:
        """Add the values of a place.

        :param source_name: name of the place where it is not the group's.
        :param description: what is there, for messages; by default it is made of names.
        """
        source_name = source_name or source.name
        if source.kind is not SourceKind.DEFAULT and source_name not in self.searched:
            self.searched.append(source_name)
        for name, value in values.items():
            if value and name in self._spec.fields:
                if not description and source.kind is SourceKind.PROGRAM:
                    shown = f"{name} is among the arguments"
                else:
                    shown = description or f"{source_name} has a value of {name}"
                text = redaction.register_secret(value) if name in self._spec.secrets else str(value)
                candidate = _Candidate(name, text, source_name, shown, source)
                self._candidates.append(candidate)
                if self._selected:
                    self._select(candidate)

    def select_values(self) -> None:
        """Decide which address is in use, and take the values that may go there; later ones when added.

        :raises ConfigError: the address is not a URL; of an argument, UsageError.
        """
        chosen = next((candidate for candidate in self._candidates if candidate.name == "base_url"), None)
        if chosen is not None:
            url = self._normalize_url(chosen.value, chosen.source_name)
            self._values["base_url"] = attrs.evolve(chosen, value=url)
            self.base_url_in_use = BaseURL(
                Origin.parse(url), self._get_base_url_kind(chosen.source), chosen.source, chosen.source_name
            )
        self._selected = True
        for candidate in self._candidates:
            self._select(candidate)

    def _get_base_url_kind(self, source: Source) -> BaseURLKind:
        if source.kind is SourceKind.PROGRAM:
            return self._base_url_kind
        if source.kind is SourceKind.DEFAULT:
            return BaseURLKind.DEFAULT
        own = self._spec.config_base_url_is_explicit and source.name == self._spec.config_file_label
        return BaseURLKind.EXPLICIT if own else BaseURLKind.CONFIGURED

    def _select(self, candidate: _Candidate) -> None:
        name = candidate.name
        if name in self._values or name == "base_url":
            return
        why = explain_unused(candidate.source, self.base_url_in_use, is_secret=self._has_secret(candidate))
        if why is None:
            self._values[name] = candidate
        elif (name, f"{candidate.description}, but {why}") not in self._unused_reasons:
            self._unused_reasons.append((name, f"{candidate.description}, but {why}"))

    def _has_secret(self, candidate: _Candidate) -> bool:
        """Return whether a value is a secret, or the name of the user whose secret is in the same place."""
        secrets = self._spec.secrets
        return candidate.name in secrets or any(
            other.source is candidate.source and other.name in secrets for other in self._candidates
        )

    def record_unreadable(self, source_name: str, reason: str, remedy: str = "") -> None:
        """Warn of a source that cannot be read, and list it.

        :param reason: the reason, without anything that the source contains.
        :param remedy: what the user can do about it; by default, to correct the source.
        """
        log.warning("credentials: %s is ignored: %s", source_name, reason)
        self.searched.append(f"{source_name} (ignored: {reason})")
        self.remedies.append(remedy or f"correct {source_name}: {reason}")

    def _normalize_url(self, value: str, source_name: str) -> str:
        """Return a base URL in its usual form.

        :raises ConfigError: it is not a URL; of an argument, UsageError.
        """
        try:
            clean = self._spec.normalize_url(value)
            Origin.parse(clean)
        except UsageError as error:
            if source_name == "arguments":
                raise
            raise ConfigError(f"{source_name}: {error.summary}", hint=error.hint or None) from None
        return clean

    def get(self, name: str) -> Optional[str]:
        """The value, or None."""
        found = self._values.get(name)
        return None if found is None else found.value

    def unused_reasons(self, *names: str) -> List[str]:
        """Return a sentence for each value that was found and is not used, with the reason."""
        return [why for name, why in self._unused_reasons if name in names]

    def require(self, *names: str) -> Dict[str, str]:
        """The values.

        :raises CredentialError: one is missing; the message lists every place looked at, and each value that
            was found there and is not used, with the reason.
        """
        missing = [name for name in names if name not in self._values]
        if missing:
            where = f" for {self.base_url_in_use.origin}" if self.base_url_in_use is not None else ""
            looked = f"looked at {', '.join(self.searched)}"
            raise self._errors.class_for(CredentialError)(
                f"{self._spec.service}: no {' and no '.join(missing)}{where}; "
                + "; ".join([looked, *self.unused_reasons(*missing)]),
                hint=self._build_hint(missing),
            )
        return {name: self._values[name].value for name in names}

    def _build_hint(self, missing: List[str]) -> str:
        if self.base_url_in_use is not None and self.base_url_in_use.kind is BaseURLKind.TOKEN_LINK:
            return f"to use an account, give the client {self.base_url_in_use.origin} instead of the link"
        wanted = [*missing]
        if self.unused_reasons(*missing) and "base_url" not in missing:
            wanted.insert(0, "base_url")
        variables = [self._spec.variables(name)[0] for name in wanted if self._spec.variables(name)]
        arguments = self._spec.argument or " and ".join(f"{name}=" for name in missing)
        environment = f", or set {' and '.join(variables)}" if variables else ""
        return "; ".join([*self.remedies, f"pass {arguments}{environment}"])

    def explain(self) -> List[Tuple[str, str, str]]:
        """Return (name, value or mask, source) of each value; ``""`` and ``"not found"`` for a missing one.

        The source also tells the origin that a value is for, and why another one that was found is not used.
        """
        rows = []
        for name in self._spec.fields:
            found = self._values.get(name)
            value, source = ("", "not found") if found is None else (found.value, found.source_name)
            if found is not None and name != "base_url" and self.base_url_in_use is not None:
                source = f"{source}, for {self.base_url_in_use.origin}"
            source = "; ".join([source, *self.unused_reasons(name)])
            rows.append((name, _mask(value) if name in self._spec.secrets else value, source))
        return rows

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} from {source}" for name, _, source in self.explain())
        return f"Credentials({shown:.180})"


def _mask(value: str) -> str:
    return "" if not value else "***" if len(value) < 12 else f"{value[:2]}***{value[-2:]}"
