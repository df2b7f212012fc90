"""Files that come as parts of a form, each on disk before anything is done with it.

Source: SmartFile protocol, section 5 (upload by form) and section 7.
"""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List

import attrs

from smartxfer.local.multipart import BadMultipart, FieldTooLong, read_form
from smartxfer.local.smartfile.call import Call, detail, required
from smartxfer.local.smartfile.tree import Draft


@attrs.frozen(eq=False)
class Part:
    """A file of a form.

    :param field: name of its field, which is free.
    :param filename: its name as sent, perhaps with directories.
    :param draft: its bytes.
    """

    field: str
    filename: str
    draft: Draft


def file_of(files: List[Part], field: str) -> Part:
    """The file of a field.

    :raises ApiError: 400, there is none.
    """
    for part in files:
        if part.field == field:
            return part
    raise required(field)


@contextmanager
def receive(call: Call) -> Iterator[List[Part]]:
    """Read a form to its end, and yield its files in order; what the tree did not take over is removed.

    :raises ApiError: 400, it is no such form, or a broken one; 415, it is of another media type.
    """
    media_type = call.request.media_type
    if media_type != "multipart/form-data":
        raise detail(415, f"Unsupported media type: {media_type or 'none'}")
    id = call.header("x-upload-uuid")
    if id:
        call.backend.uploads[id] = call.request.body
    files: List[Part] = []

    def open_file(field: str, filename: str) -> Callable[[memoryview], Any]:
        files.append(Part(field, filename, call.backend.tree.draft()))
        return files[-1].draft.stream.write

    try:
        try:
            read_form(call.request.body, call.header("content-type"), open_file)
        except BadMultipart as error:
            raise detail(400, str(error)) from None
        except FieldTooLong:
            raise detail(413, "A field of the form is too long.") from None
        yield files
    finally:
        for part in files:
            part.draft.discard()
