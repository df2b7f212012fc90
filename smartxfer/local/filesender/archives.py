"""Tar archives of several files, with a length that is known before the first byte.

Source: FileSender protocol, section 8.2.
"""

import tarfile
from typing import Iterator, List, Tuple

from smartxfer.local.http_messages import Part
from smartxfer.local.zip_stream import ZipMember


def tar_stream(members: List[ZipMember]) -> Tuple[int, Iterator[Part]]:
    """Return the length of a tar archive, and its parts."""
    heads = []
    for member in members:
        info = tarfile.TarInfo(member.name)
        info.size, info.mtime = member.size, int(member.modified)
        heads.append(info.tobuf(tarfile.PAX_FORMAT))
    length = sum(len(head) for head in heads) + 1024
    length += sum(member.size + -member.size % 512 for member in members)

    def parts() -> Iterator[Part]:
        for head, member in zip(heads, members):
            if member.missing:
                return
            yield head
            yield from member.slices
            yield bytes(-member.size % 512)
        yield bytes(1024)

    return length, parts()
