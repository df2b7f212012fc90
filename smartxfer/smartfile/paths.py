"""Paths on the server: validation, encoding in URLs, and targets of uploads.

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
    """Return the names in a path; repeated slashes and those at its ends are ignored.

    :raises UsageError: the path contains ``.`` or ``..``, which HTTP libraries would resolve silently.
    """
    names = [name for name in path.split("/") if name]
    for name in names:
        if name in (".", ".."):
            raise UsageError(f"the path {path!r} contains {name!r}", hint="pass an absolute path without it")
    return names


def quote_path(path: str) -> str:
    """Return a path for a URL, without slashes at its ends: everything but the slashes is encoded.

    >>> quote_path("/docs/50% off #1?.txt")
    'docs/50%25%20off%20%231%3F.txt'
    """
    try:
        return "/".join(quote(name, safe="") for name in split_segments(path))
    except UnicodeEncodeError:
        raise UsageError(
            f"not valid Unicode: {path!r}", hint="pass another name for the file on the server"
        ) from None


def validate_upload_path(path: str) -> str:
    """Return the path if a file can be uploaded to it, whose name is sent in the header of a multipart form.

    :raises UsageError: the name has characters that servers misinterpret there.
    """
    quote_path(path)
    if any(character in split(path)[1] for character in "\r\n\\"):
        raise UsageError(
            f"invalid file name for an upload: {path!r} contains a newline or backslash",
            hint="pass another name for the file",
        )
    return path


def build_api_path(endpoint: str, id: Any) -> str:
    """Return the path of an object relative to the API, encoded and with one slash at its end.

    >>> build_api_path("/path/info", "/a b")
    'path/info/a%20b/'

    :raises UsageError: the endpoint is not a string, or contains a query.
    """
    if not isinstance(endpoint, str):
        raise UsageError(
            f"endpoint must be a string, not a {type(endpoint).__name__}",
            hint="pass text: client.get('ping')",
        )
    for character in "?#":
        if character in endpoint:
            raise UsageError(
                f"the endpoint {endpoint!r} contains {character!r}",
                hint="pass query parameters as keywords, and a path or name as second argument",
            )
    if hasattr(id, "read") or isinstance(id, (bytes, bytearray, list, tuple, dict, set)):
        raise UsageError(
            f"the second argument must be a path or an id, not a {type(id).__name__}",
            hint="pass the content as keyword: client.post('path/data', '/folder', file=file)",
        )
    parts = [quote_path(endpoint), quote_path("" if id is None else str(id))]
    return "/".join(part for part in parts if part) + "/"


def normalize(path: Any) -> str:
    """Return an absolute path, without a slash at its end; for an Info, its path.

    >>> normalize("docs//a.txt/")
    '/docs/a.txt'
    """
    return "/" + "/".join(split_segments(as_path_text(path)))


def normalize_all(path: Any) -> List[str]:
    """Return the absolute paths of one path or several."""
    return [normalize(item) for item in (path if isinstance(path, (list, tuple)) else [path])]


def as_path_text(path: Any, hint: Optional[str] = None) -> str:
    """Return a path on the server as the caller wrote it; for a model, its path or id.

    :param hint: hint of the error for other types.
    """
    text = getattr(path, "_api_id", path)
    if not isinstance(text, str):
        raise UsageError(f"a path on the server must be a string, not a {type(path).__name__}", hint=hint)
    return text


def parse_target(path: Any, source: Any, call: str) -> str:
    """Return the target path of an upload.

    :param source: the source of the upload.
    :param call: name of the method, for the hint.
    :raises UsageError: the path is not a string; the vendor's package has the name first, then the open file.
    """
    if isinstance(source, (str, os.PathLike)) and _is_file_content(path):
        name = os.fsdecode(source).strip("/") or "name"
        raise UsageError(
            f"the first argument of {call}() must be the local file, the second its path on the server",
            hint=f"call {call}(file, {'/' + name!r})",
        )
    return as_path_text(path, hint=f"{call}(file, '/folder/name')")


def _is_file_content(value: Any) -> bool:
    return hasattr(value, "read") or isinstance(value, (bytes, bytearray, memoryview))


def join(directory: str, name: str) -> str:
    """Return the path of an entry of a directory.

    >>> join("/", "a.txt")
    '/a.txt'
    """
    return normalize(f"{directory}/{name}")


def split(path: str) -> Tuple[str, str]:
    """Return directory and name of a path.

    >>> split("/docs/a.txt")
    ('/docs', 'a.txt')

    :raises UsageError: the path is the root directory, which has no name.
    """
    directory, _, name = normalize(path).rpartition("/")
    if not name:
        raise UsageError("the root directory is not a file", hint="pass the path of a file")
    return directory or "/", name
