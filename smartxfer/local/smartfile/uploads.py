"""Files that come as parts of a form, each on disk before anything is done with it.

Source: SmartFile protocol, section 5 (upload by form) and section 7.
"""

from types import TracebackType
from typing import List, Optional, Type

import attrs

from smartxfer.local.smartfile.answers import Refusal, detail
from smartxfer.local.smartfile.call import Call
from smartxfer.local.smartfile.draft import Draft
from smartxfer.local.smartfile.fields import Fields, Pairs, form_pairs
from smartxfer.local.smartfile.multipart import BadMultipart, Multipart

__all__ = ["Part", "Upload", "receive"]

#: Longest value of an ordinary field, bytes.
_VALUE_LIMIT = 1 << 20


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


class Upload:
    """What came in a form. As a context manager it removes what the tree did not take over.

    :param files: its files in order.
    :param fields: the query's arguments and its ordinary fields.
    """

    def __init__(self, files: List[Part], fields: Fields) -> None:
        self.files = files
        self.fields = fields

    def file(self, field: str) -> Part:
        """The file of a field.

        :raises Refusal: 400, there is none.
        """
        for part in self.files:
            if part.field == field:
                return part
        raise Refusal(400, {"field_errors": {field: ["This field is required."]}})

    def discard(self) -> None:
        """Remove what was not taken over."""
        for part in self.files:
            part.draft.discard()

    def __enter__(self) -> "Upload":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.discard()


def receive(call: Call) -> Upload:
    """Read a form with files to its end.

    :raises Refusal: 400, it is no such form, or a broken one; 415, it is of another media type.
    """
    if call.media_type != "multipart/form-data":
        raise detail(415, f"Unsupported media type: {call.media_type or 'none'}")
    id = call.header("x-upload-uuid")
    if id:
        call.backend.upload_begins(id, call.exchange.body)
    upload = Upload([], Fields([]))
    try:
        upload.fields = Fields(form_pairs(call.exchange.query) + _take(call, upload.files))
    except BadMultipart as error:
        upload.discard()
        raise detail(400, str(error)) from None
    except BaseException:
        upload.discard()
        raise
    return upload


def _take(call: Call, files: List[Part]) -> Pairs:
    """Put the files of a form on disk.

    :param files: gets each as soon as it has begun.
    :return: its ordinary fields.
    """
    pairs: Pairs = []
    form = Multipart(call.exchange.body, call.header("content-type"))
    for head in form.parts():
        if head.filename is None:
            value = bytearray()
            form.pour(lambda piece, value=value: _extend(value, piece))  # type: ignore[misc]
            pairs.append((head.name, value.decode("utf-8", "replace")))
        elif head.filename:
            draft = call.backend.tree.draft()
            files.append(Part(head.name, head.filename, draft))
            form.pour(draft.stream.write)
    return pairs


def _extend(value: bytearray, piece: memoryview) -> None:
    if len(value) + len(piece) > _VALUE_LIMIT:
        raise detail(413, "A field of the form is too long.")
    value += piece
