"""Responses of a repository that count as success.

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

#: Reads and updates.
OK = Success({200})
#: Creation of drafts, versions and files.
CREATED = Success({201})
#: Publishing, and submission of a review.
ACCEPTED = Success({202})
NO_CONTENT = Success({204}, Body.EMPTY)
#: The content of a file, of any type; for a range, 206 is accepted, too.
FILE_CONTENT = Success({200}, Body.ANY)
#: Requests of a workflow, whose statuses are not documented.
_UNDOCUMENTED_POST = Success({200, 201, 202})


def get_default_success(method: str) -> Success:
    """Return the default success rule of an HTTP method."""
    return {"POST": _UNDOCUMENTED_POST, "DELETE": NO_CONTENT}.get(method, OK)


def get_raw_request_success(method: str) -> Success:
    """Return the success rule of a raw request.

    Changes of a community's members return 204.

    Source: NRP / Invenio protocol, section 9.
    """
    success = default_success(method, Body.NOT_HTML)
    return Success(success.statuses | {204}, success.body) if method in ("POST", "PUT") else success
