"""Paths on the server: how they become URLs, and where a file goes.

Source: SmartFile protocol, section 1.
"""

import os
from typing import Any, List, Optional, Tuple
from urllib.parse import quote

from smartxfer.errors import UsageError

__all__ = [
    "as_path_text",
    "build_api_path",
    "join",
    "normalize",
    "normalize_all",
    "parse_target",
    "quote_path",
    "split",
    "validate_upload_path",
]


def split_segments(path: str) -> List[str]:
    """The names in a path; slashes at its ends and runs of them mean nothing.

    :raises UsageError: ``.`` or ``..`` among them, which HTTP libraries would quietly resolve.
    """
    names = [name for name in path.split("/") if name]
    for name in names:
        if name in (".", ".."):
            raise UsageError(f"{path!r} has {name!r} in it", hint="give the path in full, from the root")
    return names


def quote_path(path: str) -> str:
    """A path as it stands in a URL, without a slash at its ends: everything but the slashes is encoded.

    >>> quote_path("/docs/50% off #1?.txt")
    'docs/50%25%20off%20%231%3F.txt'
    """
    try:
        return "/".join(quote(name, safe="") for name in split_segments(path))
    except UnicodeEncodeError:
        raise UsageError(
            f"not valid Unicode: {path!r}", hint="give the file a name of its own on the server"
        ) from None


def validate_upload_path(path: str) -> str:
    """The path, if a file can be sent to it: its name travels in the head of a form.

    :raises UsageError: the name has characters that servers read as others there.
    """
    quote_path(path)
    if any(letter in split(path)[1] for letter in "\r\n\\"):
        raise UsageError(
            f"no file can be sent as {path!r}: a form cannot carry line ends and backslashes in a file name",
            hint="give the file another name",
        )
    return path


def build_api_path(endpoint: str, id: Any) -> str:
    """The path of an object below the API, encoded and ending in exactly one slash.

    >>> build_api_path("/path/info", "/a b")
    'path/info/a%20b/'

    :raises UsageError: the endpoint is not text, or has a query.
    """
    if not isinstance(endpoint, str):
        raise UsageError(f"an endpoint is text, not {type(endpoint).__name__}", hint="client.get('ping')")
    for mark in "?#":
        if mark in endpoint:
            raise UsageError(
                f"{mark!r} in the endpoint {endpoint!r}",
                hint="query arguments are keywords, a path or name is the second argument",
            )
    if hasattr(id, "read") or isinstance(id, (bytes, bytearray, list, tuple, dict, set)):
        raise UsageError(
            f"the second argument is a path or an id, not a {type(id).__name__}",
            hint="give what is sent by its name: client.post('path/data', '/folder', file=file)",
        )
    parts = [quote_path(endpoint), quote_path("" if id is None else str(id))]
    return "/".join(part for part in parts if part) + "/"


def normalize(path: Any) -> str:
    """The path in full: one slash at its start, none at its end; of a structure, the path in it.

    >>> normalize("docs//a.txt/")
    '/docs/a.txt'
    """
    return "/" + "/".join(split_segments(as_path_text(path)))


def normalize_all(path: Any) -> List[str]:
    """The paths in full that are meant: one, or several."""
    return [normalize(one) for one in (path if isinstance(path, (list, tuple)) else [path])]


def as_path_text(path: Any, hint: Optional[str] = None) -> str:
    """Return a path on the server as the caller wrote it; of a structure, the path in it.

    :param hint: what to write instead of something else.
    """
    given = getattr(path, "key", path)
    if not isinstance(given, str):
        raise UsageError(f"a path on the server is text, not a {type(path).__name__}", hint=hint)
    return given


def parse_target(path: Any, source: Any, call: str) -> str:
    """Return the path that a file is sent to.

    :param source: what is sent.
    :param call: the method, for the hint.
    :raises UsageError: it is not text; the vendor's package takes the name first and then the open file.
    """
    if isinstance(source, (str, os.PathLike)) and _is_file_content(path):
        name = os.fsdecode(source).strip("/") or "name"
        raise UsageError(
            f"{call}() takes what is sent first, and its path on the server second",
            hint=f"{call}(file, {'/' + name!r})",
        )
    return as_path_text(path, hint=f"{call}(file, '/folder/name')")


def _is_file_content(value: Any) -> bool:
    return hasattr(value, "read") or isinstance(value, (bytes, bytearray, memoryview))


def join(directory: str, name: str) -> str:
    """The path of something in a directory.

    >>> join("/", "a.txt")
    '/a.txt'
    """
    return normalize(f"{directory}/{name}")


def split(path: str) -> Tuple[str, str]:
    """A path's directory and last name.

    >>> split("/docs/a.txt")
    ('/docs', 'a.txt')

    :raises UsageError: the root has no name.
    """
    directory, _, name = normalize(path).rpartition("/")
    if not name:
        raise UsageError(
            "/ is the root directory, not a file", hint="pass the path of a file, such as /docs/report.txt"
        )
    return directory or "/", name
