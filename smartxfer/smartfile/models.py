"""What the API answers.

Source: SmartFile protocol, sections 3 and 5.
"""

import datetime as dt
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import attrs

from smartxfer.models import Model, count_field, secret_field, wire_field
from smartxfer.smartfile.errors import ERRORS

__all__ = ["Info", "Link", "Remote", "Remotes", "Task"]


class SmartFileModel(Model):
    """What SmartFile answers."""

    _error_family = ERRORS


@attrs.frozen(slots=False, eq=False, repr=False)
class Info(SmartFileModel):
    """A file or directory; ``size`` in bytes, ``items_`` the number of entries of a directory.

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
    def key(self) -> str:
        """What the API knows it by: its path."""
        return self.path

    @property
    def modified(self) -> Optional[dt.datetime]:
        """When it changed, without a zone: the API says none, and a site may run on any.

        ``info.modified.replace(tzinfo=...)`` makes it a moment, for whoever knows the site's zone; the
        vendor's own client reads it as the time of Indianapolis.
        """
        try:
            return dt.datetime.strptime(self.time or "", "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007
        except ValueError:
            return None


Remote = Union[str, Info]
"""A path on the server, from its root; or the Info of a file or directory."""
Remotes = Union[Remote, Sequence[Remote]]


@attrs.frozen(slots=False, eq=False, repr=False)
class Task(SmartFileModel):
    """A job that runs on the server; see ``wait``."""

    uuid: str
    url: Optional[str] = None
    result: Any = None

    @property
    def key(self) -> str:
        """What the API knows it by."""
        return self.uuid

    @property
    def status(self) -> str:
        """``PENDING``, ``PROGRESS``, ``SUCCESS``, ``FAILURE``, or a word that is not known yet.

        It is nested in ``result``; older servers have it at the top.
        """
        nested = self.result.get("status") if isinstance(self.result, Mapping) else None
        return str(nested or self.get("status") or "PENDING").upper()

    @property
    def output(self) -> Dict[str, Any]:
        """What the job left behind, such as ``checksums``; empty when there is nothing."""
        nested = self.result.get("result") if isinstance(self.result, Mapping) else None
        found = nested if isinstance(nested, Mapping) else self.result
        return dict(found) if isinstance(found, Mapping) else {}

    @property
    def errors(self) -> Dict[str, str]:
        """What went wrong, by path; a job may succeed in part."""
        found = self.output.get("errors")
        if isinstance(found, Mapping):
            return {str(path): str(reason) for path, reason in found.items()}
        return {"": str(found)} if found else {}

    @property
    def done(self) -> bool:
        """Whether the server is through with it, well or not."""
        return self.status in ("SUCCESS", "FAILURE")


@attrs.frozen(slots=False, eq=False, repr=False)
class Link(SmartFileModel):
    """A link by which anybody can fetch a file or look into a directory."""

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
    def key(self) -> str:
        """What the API knows it by."""
        return self.uid
