"""Hints for error responses of a repository, selected by the message, as a status has many causes.

Source: NRP / Invenio protocol, sections 3 to 6 and 9.
"""

from typing import Sequence, Tuple

from smartxfer.transport.error_rules import ErrorRule

__all__ = ["NEW_VERSION_HINT", "SMALLER_REQUESTS_HINT", "STORAGE_HINT", "build_error_rules"]

NEW_VERSION_HINT = (
    "call records.new_version(record, import_files=True) to create a draft with files that can be changed"
)
#: For a server or gateway that limits the size of a request.
SMALLER_REQUESTS_HINT = "send smaller requests: transfer_type='multipart', part_size=5 << 20"
#: For the storage behind a repository, which has presigned URLs of its own.
STORAGE_HINT = (
    "run again: the repository then signs a new URL of its storage; if it persists, tell its administrator"
)
_ANONYMOUS_HINT = "pass token=, or set NRP_TOKEN: without a token only public files and records can be read"
_DENIED_HINT = (
    "call client.whoami() to find out whether the token is invalid or expired; else ask the owner for access"
)

#: Status, pattern of the message in lower case, hint.
_HINTS_BY_MESSAGE: Sequence[Tuple[int, str, str]] = (
    (403, r"bucket is locked", NEW_VERSION_HINT),
    (403, r"files are not enabled", "draft.files['enabled'] = True; client.records.update(draft)"),
    (400, r"quota exceeded", "delete files of the draft, or ask the repository for more space"),
    (400, r"maximum file size", "split the file, or ask the repository for a higher limit"),
    (400, r"exceeding the max amount", "upload fewer files, for example as an archive"),
    (400, r"filename is too long", "pass a shorter key"),
    (400, r"file with key .* already exists", "pass replace=True to delete the existing file first"),
    (400, r"domain not allowed", "send the bytes: transfer_type='local-file'"),
    (400, r"transfer\.type: unsupported value", "use one of client.repository.transfers"),
    (400, r"not completed their transfer", "find them with files.list(draft), and upload or delete them"),
    (
        400,
        r"missing data for required field",
        "add the fields that the message names to draft.metadata, and call client.records.update(draft)",
    ),
    (400, r"missing uploaded files", "upload a file, or set draft.files['enabled'] = False and update it"),
    (400, r"remove all files first", "call files.delete_all(draft) first"),
    (400, r"invalid value", "use an id that client.get('vocabularies/languages') lists"),
    (404, r"is not registered", "the record is not published: call records.draft_records.read(id)"),
    (404, r"has no file", "list the existing keys with files.list(record)"),
    (412, r"revision", "read the draft again, and repeat the change"),
    (413, r"", SMALLER_REQUESTS_HINT),
)


def build_error_rules(has_token: bool) -> Sequence[ErrorRule]:
    """Return the rules for error responses.

    :param has_token: True if the client sends a token.
    """
    rules = [
        ErrorRule(status, message_pattern=pattern, hint=hint) for status, pattern, hint in _HINTS_BY_MESSAGE
    ]
    return [*rules, ErrorRule(403, hint=_DENIED_HINT if has_token else _ANONYMOUS_HINT)]
