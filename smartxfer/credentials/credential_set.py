"""Credentials of one client: values with their sources and origins."""

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
    """A value in a source.

    :param source_name: name of the source, including the variable.
    :param description: for messages, such as ``DEPOT_KEY is set``.
    """

    name: str
    value: str = attrs.field(repr=False)
    source_name: str
    description: str
    source: Source


class Credentials:
    """Values with their sources and origins, and all sources that were searched.

    Values are added in the order of their sources.  :meth:`select_values` then selects the base URL, and the
    values that may be used for it.

    :param spec: names of the service's credentials.
    :param base_url_kind: kind of a base URL that is passed as an argument.
    :param error_family: the errors of the service.
    """

    def __init__(
        self,
        spec: CredentialSpec,
        base_url_kind: BaseURLKind = BaseURLKind.EXPLICIT,
        error_family: ErrorFamily = GENERIC_ERRORS,
    ) -> None:
        self._spec = spec
        self._error_family = error_family
        self._base_url_kind = base_url_kind
        self._candidates: List[_Candidate] = []
        self._values: Dict[str, _Candidate] = {}
        self._unused_reasons: List[Tuple[str, str]] = []
        self._selected = False
        # The selected base URL.
        self.base_url_in_use: Optional[BaseURL] = None
        #: Names of all searched sources, in order.
        self.searched: List[str] = []
        #: Hints for corrections in the searched sources, each an imperative.
        self.remedies: List[str] = []

    def new_source(
        self, name: str, kind: SourceKind, base_url: Optional[str] = None, base_url_source: str = ""
    ) -> Source:
        """Return a new source.

        :param base_url: the base URL that it contains.
        :param base_url_source: name of the variable or source of that URL, for messages.
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
        """Add the values of a source.

        :param source_name: name for messages; by default that of ``source``.
        :param description: of the value, for messages; by default it is built from the names.
        """
        source_name = source_name or source.name
        if source.kind is not SourceKind.DEFAULT and source_name not in self.searched:
            self.searched.append(source_name)
        for name, value in values.items():
            if value and name in self._spec.fields:
                if not description and source.kind is SourceKind.PROGRAM:
                    reason = f"{name} is among the arguments"
                else:
                    reason = description or f"{source_name} has a value of {name}"
                text = redaction.register_secret(value) if name in self._spec.secrets else str(value)
                candidate = _Candidate(name, text, source_name, reason, source)
                self._candidates.append(candidate)
                if self._selected:
                    self._select(candidate)

    def select_values(self) -> None:
        """Select the base URL, and the values that may be used for it, including values that are added later.

        :raises ConfigError: the base URL is invalid; UsageError if it is an argument.
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
        reason = explain_unused(candidate.source, self.base_url_in_use, is_secret=self._has_secret(candidate))
        if reason is None:
            self._values[name] = candidate
        elif (name, f"{candidate.description}, but {reason}") not in self._unused_reasons:
            self._unused_reasons.append((name, f"{candidate.description}, but {reason}"))

    def _has_secret(self, candidate: _Candidate) -> bool:
        """Return True if a value is a secret, or belongs to a secret in the same source."""
        secrets = self._spec.secrets
        return candidate.name in secrets or any(
            other.source is candidate.source and other.name in secrets for other in self._candidates
        )

    def record_unreadable(self, source_name: str, reason: str, remedy: str = "") -> None:
        """Log a warning about an unreadable source, and add it to the searched sources.

        :param reason: the reason, without any contents of the source.
        :param remedy: what the user can do; by default, to correct the source.
        """
        log.warning("credentials: %s is ignored: %s", source_name, reason)
        self.searched.append(f"{source_name} (ignored: {reason})")
        self.remedies.append(remedy or f"correct {source_name}: {reason}")

    def _normalize_url(self, value: str, source_name: str) -> str:
        """Return a normalized base URL.

        :raises ConfigError: it is invalid; UsageError if it is an argument.
        """
        try:
            normalized = self._spec.normalize_url(value)
            Origin.parse(normalized)
        except UsageError as error:
            if source_name == "arguments":
                raise
            raise ConfigError(f"{source_name}: {error.summary}", hint=error.hint or None) from None
        return normalized

    def get(self, name: str) -> Optional[str]:
        """Return the value, or None."""
        value = self._values.get(name)
        return None if value is None else value.value

    def unused_reasons(self, *names: str) -> List[str]:
        """Return one text for each value that was found but is not used, with the reason."""
        return [reason for name, reason in self._unused_reasons if name in names]

    def require(self, *names: str) -> Dict[str, str]:
        """Return the values.

        :raises CredentialError: a value is missing; the message lists all searched sources, and each value
            that was found but is not used, with the reason.
        """
        missing = [name for name in names if name not in self._values]
        if missing:
            target = f" for {self.base_url_in_use.origin}" if self.base_url_in_use is not None else ""
            searched = f"looked at {', '.join(self.searched)}"
            raise self._error_family.class_for(CredentialError)(
                f"{self._spec.service}: no {' and no '.join(missing)}{target}; "
                + "; ".join([searched, *self.unused_reasons(*missing)]),
                hint=self._build_hint(missing),
            )
        return {name: self._values[name].value for name in names}

    def _build_hint(self, missing: List[str]) -> str:
        if self.base_url_in_use is not None and self.base_url_in_use.kind is BaseURLKind.TOKEN_LINK:
            return f"to use an account, give the client {self.base_url_in_use.origin} instead of the link"
        names = [*missing]
        if self.unused_reasons(*missing) and "base_url" not in missing:
            names.insert(0, "base_url")
        variables = [self._spec.variables(name)[0] for name in names if self._spec.variables(name)]
        arguments = self._spec.argument or " and ".join(f"{name}=" for name in missing)
        environment = f", or set {' and '.join(variables)}" if variables else ""
        return "; ".join([*self.remedies, f"pass {arguments}{environment}"])

    def explain(self) -> List[Tuple[str, str, str]]:
        """Return (name, value or mask, source) of each value; ``""`` and ``"not found"`` for a missing one.

        The source includes the origin for which a value is used, and why other values are not used.
        """
        rows = []
        for name in self._spec.fields:
            entry = self._values.get(name)
            value, source = ("", "not found") if entry is None else (entry.value, entry.source_name)
            if entry is not None and name != "base_url" and self.base_url_in_use is not None:
                source = f"{source}, for {self.base_url_in_use.origin}"
            source = "; ".join([source, *self.unused_reasons(name)])
            rows.append((name, _mask(value) if name in self._spec.secrets else value, source))
        return rows

    def __repr__(self) -> str:
        sources = ", ".join(f"{name} from {source}" for name, _, source in self.explain())
        return f"Credentials({sources:.180})"


def _mask(value: str) -> str:
    return "" if not value else "***" if len(value) < 12 else f"{value[:2]}***{value[-2:]}"
