"""Which record or file is meant: by its structure, its address (of the API or of a web page), or its id.

Source: NRP / Invenio protocol, sections 3 to 5.
"""

from typing import Any, Callable, List, Optional
from urllib.parse import quote, unquote, urlsplit

import attrs

from smartxfer.errors import UsageError
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.keys import encoded
from smartxfer.transport.origin import Origin, without_query

__all__ = ["Place", "is_url", "place_of"]


@attrs.frozen
class Place:
    """A record, or a file of it.

    :param base: address of the record, without ``/draft``.
    :param draft: whether the draft is meant; None where that was not said.
    :param key: of the file, if one is meant.
    """

    base: str
    draft: Optional[bool] = None
    key: Optional[str] = None

    def records(self, writing: bool = False) -> List[str]:
        """Addresses of the record, the likeliest first; what is written to is a draft."""
        if writing or self.draft:
            return [f"{self.base}/draft"]
        published = [self.base] if self.draft is False else [self.base, f"{self.base}/draft"]
        return published

    def files(self, writing: bool = False) -> List[str]:
        """Addresses of the record's files."""
        return [f"{record}/files" for record in self.records(writing)]

    def file(self, writing: bool = False) -> List[str]:
        """Addresses of the file."""
        assert self.key is not None
        return [f"{files}/{encoded(self.key)}" for files in self.files(writing)]

    @property
    def id(self) -> str:
        """The record's id."""
        return unquote(self.base.rpartition("/")[2])


def is_url(text: str) -> bool:
    """Whether it is an address rather than an id."""
    return text.lower().startswith(("http://", "https://"))


def place_of(calls: Calls, thing: Any, model: Callable[[], str] = lambda: "records") -> Place:
    """The place of a record or file.

    :param thing: a Record, a File, an id, or an address: text, or anything whose ``str()`` is one.
    :param model: says where records that are named by their id alone live.
    :raises UsageError: it is none of these, or of another repository.
    """
    links = getattr(thing, "links", None)
    own = getattr(links, "self_", None)
    if own:
        place = _of_url(calls, str(own))
        return attrs.evolve(place, key=getattr(thing, "key", None), draft=bool(place.draft))
    text = str(thing).strip()
    if is_url(text):
        return _of_url(calls, text)
    if isinstance(thing, (str, int)) and text and "/" not in text and text not in (".", ".."):
        return Place(f"{calls.url(*model().split('/'))}/{quote(text, safe='')}")
    raise UsageError(f"{thing!r} names no record", hint="give a Record, a File, an address or an id")


def _of_url(calls: Calls, url: str) -> Place:
    """The place of an address of the API, or of the page that shows it in a browser."""
    if not calls.wire.origin.trusts(Origin.of(url)):
        raise UsageError(
            f"{without_query(url)} is not on {calls.wire.origin}", hint="make a client for its repository"
        )
    api = urlsplit(calls.api).path.rstrip("/")
    path = urlsplit(url.strip()).path
    inside = path == api or path.startswith(f"{api}/")
    words = [word for word in (path[len(api) :] if inside else path).split("/") if word]
    if len(words) < 2:
        raise UsageError(f"{without_query(url)} is not the address of a record or file")
    if not inside and words[0] == "uploads":  # the page on which a draft is edited
        return Place(f"{calls.api}/records/{words[1]}", True)
    base = f"{calls.api}/{words[0]}/{words[1]}"
    draft = words[2:3] == ["draft"]
    rest = words[3:] if draft else words[2:]
    key = None
    if rest[:1] == ["files"] and len(rest) > 1:
        key = unquote(_after_files(path))
    return Place(base, draft or None, key)


def _after_files(path: str) -> str:
    """The key of a file in the path of its address, as it is, double slashes included."""
    key = path.partition("/files/")[2]
    for end in ("/content", "/commit"):
        if key.endswith(end):
            return key[: -len(end)]
    return key
