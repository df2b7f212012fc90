"""Updates of drafts: expected revision, recovery of a lost response, and fields that the repository drops.

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
    """Return the header of a conditional update: a number without the quotes of HTTP, which are rejected.

    :raises UsageError: the revision is not a number.
    """
    if revision is None:
        return {}
    if type(revision) is not int:
        raise UsageError(
            f"if_revision must be a number, not {revision!r}", hint="pass if_revision=record.revision_id"
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

    A conditional update is not simply repeated: if the first attempt had changed the draft, the second one
    would be rejected.  Therefore the draft is read after a lost response.

    :param headers: sent with the read request, too.
    :raises OutcomeUnknown: the draft has another revision, and is not what was sent.
    """
    if revision is None:
        return dict(api.send("PUT", url, json=document, headers=headers).json(dict))
    lost: Optional[OutcomeUnknown] = None
    for _ in range(api.http.policy.attempts):
        try:
            conditional = {**headers, **build_if_match_headers(revision)}
            return dict(api.send("PUT", url, json=document, headers=conditional, idempotent=False).json(dict))
        except OutcomeUnknown as error:
            lost = error
        current = dict(api.get(url, headers=headers).json(dict))
        if current.get("revision_id") != revision:
            if current.get("metadata") == document.get("metadata"):
                return current
            break
    assert lost is not None
    raise evolve_error(lost, hint="read the draft, and compare it with the document that was sent")


def parse_draft_response(body: Mapping[str, Any], strict: bool, sent: Mapping[str, Any]) -> Record:
    """Return the draft in a response; warn about invalid fields that the repository has dropped.

    ``errors`` also lists fields that are only missing for publishing; these do not cause a warning.

    :param strict: raise an error instead of the warning.
    :param sent: the document that was sent.
    :raises InvalidDraft: with ``strict``, fields were dropped.

    Source: NRP / Invenio protocol, sections 4 and 9.
    """
    record = Record.from_wire(body)
    dropped = [error for error in record.errors if _is_field_dropped(error, sent, body)]
    if not dropped:
        return record
    message = f"{record.id} was saved without invalid fields: {format_field_errors(dropped)}"
    if strict:
        hint = "correct the fields, and update the draft"
        raise RepositoryInvalidDraft(message, hint=hint, errors=record.errors, record=record)
    with contextlib.suppress(ValueError):  # raised if standard error is closed
        warnings.warn(escape_unprintable(redact(message)), DraftWarning, stacklevel=3)
    return record


def _is_field_dropped(error: Any, sent: Mapping[str, Any], saved: Mapping[str, Any]) -> bool:
    """Return True if the saved draft lacks a value that was sent for the field of an error, or next to it."""
    field = str(error.get("field") or "") if isinstance(error, Mapping) else ""
    section, _, rest = field.partition(".")
    sent_value, saved_value = sent.get(section), saved.get(section)
    if not isinstance(sent_value, Mapping) or not rest:
        return section in sent and sent_value != saved_value
    name = rest.partition(".")[0]
    saved_members = saved_value if isinstance(saved_value, Mapping) else {}
    if name in sent_value:  # for files, the errors also list those that are still to be uploaded
        return section != "files" or bool(saved_members.get(name) != sent_value[name])
    # Members of metadata are independent.  In other sections, a missing member can invalidate the others.
    return section != "metadata" and any(saved_members.get(key) != value for key, value in sent_value.items())


def get_record_reference(record_or_data: Any) -> Any:
    """Return the link or id in a plain dict; other values are returned unchanged.

    :raises UsageError: the dict has neither.
    """
    if isinstance(record_or_data, Record) or not isinstance(record_or_data, Mapping):
        return record_or_data
    links = record_or_data.get("links")
    reference = (links.get("self") if isinstance(links, Mapping) else None) or record_or_data.get("id")
    if not reference:
        raise UsageError("the dict does not identify a record", hint="add 'id', or 'links' with 'self'")
    return reference
