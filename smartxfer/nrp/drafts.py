"""Sending a draft: the revision it must have, a lost answer, and fields that the repository drops.

Source: NRP / Invenio protocol, section 4.
"""

import contextlib
import warnings
from typing import Any, Dict, Mapping, Optional

from smartxfer.error_values import evolve_error
from smartxfer.errors import OutcomeUnknown, UsageError
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.errors import RepositoryInvalidDraft, format_field_errors
from smartxfer.nrp.record_models import DraftWarning, Record
from smartxfer.terminal_text import escape_unprintable
from smartxfer.transport.redaction import redact

__all__ = ["build_if_match_headers", "get_record_reference", "parse_draft_response", "replace_draft"]


def build_if_match_headers(revision: Optional[int]) -> Dict[str, str]:
    """The header of a guarded change: a bare number, for the quotes of HTTP are refused.

    :raises UsageError: it is no number.
    """
    if revision is None:
        return {}
    if type(revision) is not int:
        raise UsageError(
            f"if_revision is a number, the record's revision_id, not {revision!r}",
            hint="pass if_revision=record.revision_id",
        )
    return {"If-Match": str(revision)}


def replace_draft(
    api: RepositoryApi,
    url: str,
    document: Dict[str, Any],
    headers: Mapping[str, str],
    revision: Optional[int],
) -> Dict[str, Any]:
    """Replace a draft.

    One that is guarded is not repeated blindly, for what its first try changed would refuse the second one:
    where the answer is lost, the draft is read.

    :param headers: of the reading, too.
    :raises OutcomeUnknown: the draft was changed meanwhile, and is not what was sent.
    """
    if revision is None:
        return dict(api.send("PUT", url, json=document, headers=headers).json(dict))
    lost: Optional[OutcomeUnknown] = None
    for _ in range(api.http.policy.attempts):
        try:
            guarded = {**headers, **build_if_match_headers(revision)}
            return dict(api.send("PUT", url, json=document, headers=guarded, idempotent=False).json(dict))
        except OutcomeUnknown as error:
            lost = error
        now = dict(api.get(url, headers=headers).json(dict))
        if now.get("revision_id") != revision:
            if now.get("metadata") == document.get("metadata"):
                return now
            break
    assert lost is not None
    raise evolve_error(lost, hint="read the draft, and see whether it is what was sent")


def parse_draft_response(body: Mapping[str, Any], strict: bool, sent: Mapping[str, Any]) -> Record:
    """Return the draft of an answer, after a warning about fields that were dropped.

    ``errors`` also names what publishing will need and what was never there; that is dropped from nothing.

    :param sent: the document that was sent.
    :raises InvalidDraft: with ``strict``.

    Source: NRP / Invenio protocol, sections 4 and 9.
    """
    record = Record.from_wire(body)
    dropped = [error for error in record.errors if _is_field_dropped(error, sent, body)]
    if not dropped:
        return record
    words = f"{record.id} was kept without invalid fields: {format_field_errors(dropped)}"
    if strict:
        hint = "correct them, and update the draft"
        raise RepositoryInvalidDraft(words, hint=hint, errors=record.errors, record=record)
    with contextlib.suppress(ValueError):  # standard error is closed
        warnings.warn(escape_unprintable(redact(words)), DraftWarning, stacklevel=3)
    return record


def _is_field_dropped(error: Any, sent: Mapping[str, Any], saved: Mapping[str, Any]) -> bool:
    """Return True if the draft lacks something that was sent for the field of an error, or near it."""
    field = str(error.get("field") or "") if isinstance(error, Mapping) else ""
    section, _, rest = field.partition(".")
    given, now = sent.get(section), saved.get(section)
    if not isinstance(given, Mapping) or not rest:
        return section in sent and given != now
    name = rest.partition(".")[0]
    there = now if isinstance(now, Mapping) else {}
    if name in given:  # of files the repository says what is still to come
        return section != "files" or bool(there.get(name) != given[name])
    # Members of metadata stand alone; elsewhere a missing one may have cost the others.
    return section != "metadata" and any(there.get(each) != value for each, value in given.items())


def get_record_reference(record_or_data: Any) -> Any:
    """What names the record of a plain dict; anything else names itself.

    :raises UsageError: the dict names none.
    """
    if isinstance(record_or_data, Record) or not isinstance(record_or_data, Mapping):
        return record_or_data
    links = record_or_data.get("links")
    found = (links.get("self") if isinstance(links, Mapping) else None) or record_or_data.get("id")
    if not found:
        raise UsageError("the dict names no record", hint="it needs id, or links with self")
    return found
