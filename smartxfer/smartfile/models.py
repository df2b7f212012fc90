"""Models of the API's responses.

Source: SmartFile protocol, sections 3 and 5.
"""

import datetime as dt
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import attrs

from smartxfer.models import Model, count_field, secret_field, wire_field
from smartxfer.smartfile.errors import ERRORS

__all__ = ["Info", "Link", "Remote", "Remotes", "Task"]


class SmartFileModel(Model):
    """Base class of the models of SmartFile.

    Subclasses define ``_api_id``, which replaces an instance that is passed as a path or an id.
    """

    _error_family = ERRORS


@attrs.frozen(slots=False, eq=False, repr=False)
class Info(SmartFileModel):
    """A file or directory; ``size`` in bytes, ``item_count`` the number of entries of a directory.

    An archive may be both ``isfile`` and ``isdir``.
    """

    path: str
    name: str = ""
    size: Optional[int] = count_field(default=None)
    isdir: bool = False
    isfile: bool = False
    item_count: Optional[int] = wire_field("items", default=None)
    time: Optional[str] = None
    mime: Optional[str] = None
    extension: Optional[str] = None
    id: Any = None
    url: Optional[str] = None
    owner: Any = None
    tags: List[Any] = attrs.field(factory=list)
    attributes: Dict[str, Any] = attrs.field(factory=dict)
    acl: Dict[str, Any] = attrs.field(factory=dict)

    @property
    def _api_id(self) -> str:
        return self.path

    @property
    def modified(self) -> Optional[dt.datetime]:
        """Modification time, without a time zone, because the API does not return one.

        If you know the time zone of the site, use ``info.modified.replace(tzinfo=...)``.  The vendor's client
        assumes the time of Indianapolis.
        """
        try:
            return dt.datetime.strptime(self.time or "", "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007
        except ValueError:
            return None


Remote = Union[str, Info]
"""An absolute path on the server, or the Info of a file or directory."""
Remotes = Union[Remote, Sequence[Remote]]


@attrs.frozen(slots=False, eq=False, repr=False)
class Task(SmartFileModel):
    """A task that runs on the server; see ``wait``."""

    uuid: str
    url: Optional[str] = None
    result: Any = None

    @property
    def _api_id(self) -> str:
        return self.uuid

    @property
    def status(self) -> str:
        """``PENDING``, ``PROGRESS``, ``SUCCESS``, ``FAILURE``, or another value of the server.

        It is nested in ``result``; older servers return it at the top level.
        """
        nested = self.result.get("status") if isinstance(self.result, Mapping) else None
        return str(nested or self.get("status") or "PENDING").upper()

    @property
    def output(self) -> Dict[str, Any]:
        """The result of the task, such as ``checksums``; empty if it has none."""
        nested = self.result.get("result") if isinstance(self.result, Mapping) else None
        output = nested if isinstance(nested, Mapping) else self.result
        return dict(output) if isinstance(output, Mapping) else {}

    @property
    def errors(self) -> Dict[str, str]:
        """Error messages by path; a task can succeed for some paths and fail for others."""
        errors = self.output.get("errors")
        if isinstance(errors, Mapping):
            return {str(path): str(reason) for path, reason in errors.items()}
        return {"": str(errors)} if errors else {}

    @property
    def done(self) -> bool:
        """True if the task has succeeded or failed."""
        return self.status in ("SUCCESS", "FAILURE")


@attrs.frozen(slots=False, eq=False, repr=False)
class Link(SmartFileModel):
    """A public link to a file or directory."""

    uid: str = secret_field()
    href: str = secret_field(default="")
    name: Optional[str] = None
    path: Any = None
    acl: Dict[str, Any] = attrs.field(factory=dict)
    owner: Any = None
    created: Optional[str] = None
    expiration: Optional[str] = None
    recursive: Optional[bool] = None
    usage_count: Optional[int] = None
    usage_limit: Optional[int] = None
    cache: Any = None

    @property
    def _api_id(self) -> str:
        return self.uid
