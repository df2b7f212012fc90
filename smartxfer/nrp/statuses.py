"""Answers of a repository that count as success.

Source: NRP / Invenio protocol, sections 4 to 6.
"""

from smartxfer.transport import Body, Success
from smartxfer.transport.success import by_method

__all__ = ["ACCEPTED", "CREATED", "DELETED", "DONE", "FILE", "of_method", "of_raw"]

#: What was asked for, or what was changed in place.
DONE = Success({200})
#: Drafts, versions, entries of files.
CREATED = Success({201})
#: A publication, and a review that was submitted.
ACCEPTED = Success({202})
DELETED = Success({204}, Body.EMPTY)
#: The content of a file, of whatever type; 206 counts where a range is asked for.
FILE = Success({200}, Body.ANY)
#: Requests of a workflow, whose statuses no page documents.
_ANY_POST = Success({200, 201, 202})


def of_method(method: str) -> Success:
    """Return what a call of a method accepts that does not say it itself."""
    return {"POST": _ANY_POST, "DELETE": DELETED}.get(method, DONE)


def of_raw(method: str) -> Success:
    """Return what a raw call of a method accepts, of whatever endpoint.

    Changes of a community's members are answered by 204.

    Source: NRP / Invenio protocol, section 9.
    """
    success = by_method(method, Body.NO_PAGE)
    return Success(success.statuses | {204}, success.body) if method in ("POST", "PUT") else success
