"""File uploads in forms, stored on disk first.

Source: SmartFile protocol, section 5 (upload by form) and section 7.
"""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List

import attrs

from smartxfer.local.multipart import BadMultipart, FieldTooLong, read_form
from smartxfer.local.smartfile.call import Call, error_detail, missing_fields
from smartxfer.local.smartfile.tree import PendingFile


@attrs.frozen(eq=False)
class Part:
    """A file of a form.

    :param field: name of its field, which can be any.
    :param filename: its name as sent, possibly with directories.
    :param draft: its bytes.
    """

    field: str
    filename: str
    draft: PendingFile


def find_file(files: List[Part], field: str) -> Part:
    """Return the file of a field.

    :raises ApiError: 400, it is missing.
    """
    for part in files:
        if part.field == field:
            return part
    raise missing_fields(field)


@contextmanager
def receive(call: Call) -> Iterator[List[Part]]:
    """Read a form to its end, and yield its files in order; files not moved into the tree are deleted.

    :raises ApiError: 400, invalid form; 415, another media type.
    """
    media_type = call.request.media_type
    if media_type != "multipart/form-data":
        raise error_detail(415, f"Unsupported media type: {media_type or 'none'}")
    id = call.header("x-upload-uuid")
    if id:
        call.backend.uploads[id] = call.request.body
    files: List[Part] = []

    def open_file(field: str, filename: str) -> Callable[[memoryview], Any]:
        files.append(Part(field, filename, call.backend.tree.new_file()))
        return files[-1].draft.stream.write

    try:
        try:
            read_form(call.request.body, call.header("content-type"), open_file)
        except BadMultipart as error:
            raise error_detail(400, str(error)) from None
        except FieldTooLong:
            raise error_detail(413, "A field of the form is too long.") from None
        yield files
    finally:
        for part in files:
            part.draft.discard()
