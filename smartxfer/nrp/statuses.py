"""Answers of a repository that count as success.

Source: NRP / Invenio protocol, sections 4 to 6.
"""

from smartxfer.transport import Body, Success
from smartxfer.transport.success import default_success

__all__ = [
    "ACCEPTED",
    "CREATED",
    "FILE_CONTENT",
    "NO_CONTENT",
    "OK",
    "get_default_success",
    "get_raw_request_success",
]

#: What was asked for, or what was changed in place.
OK = Success({200})
#: Drafts, versions, entries of files.
CREATED = Success({201})
#: A publication, and a review that was submitted.
ACCEPTED = Success({202})
NO_CONTENT = Success({204}, Body.EMPTY)
#: The content of a file, of whatever type; 206 counts where a range is asked for.
FILE_CONTENT = Success({200}, Body.ANY)
#: Requests of a workflow, whose statuses no page documents.
_UNDOCUMENTED_POST = Success({200, 201, 202})


def get_default_success(method: str) -> Success:
    """Return what a call of a method accepts that does not say it itself."""
    return {"POST": _UNDOCUMENTED_POST, "DELETE": NO_CONTENT}.get(method, OK)


def get_raw_request_success(method: str) -> Success:
    """Return what a raw call of a method accepts, of whatever endpoint.

    Changes of a community's members are answered by 204.

    Source: NRP / Invenio protocol, section 9.
    """
    success = default_success(method, Body.NOT_HTML)
    return Success(success.statuses | {204}, success.body) if method in ("POST", "PUT") else success
