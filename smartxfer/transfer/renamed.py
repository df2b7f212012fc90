"""Files that a download gave another name: they are not sent back beside the original.

Until a name is mapped back to the server's, such a file is left out when its directory is sent to where it
came from, and the caller is told.
"""

import logging
from pathlib import Path
from typing import Callable, Dict, Optional

from smartxfer.transfer.tree import Item
from smartxfer.transfer.written import Written, written_in

__all__ = ["Renamed"]

log = logging.getLogger("smartxfer.transfer")


class Renamed:
    """Finds such files.

    :param service: whereto a directory is sent, as downloads from there note it.
    :param stands: tells whether a file of a name is there.
    """

    def __init__(self, service: str, stands: Callable[[str], bool]) -> None:
        self._service = service
        self._stands = stands
        self._written: Dict[Path, Written] = {}

    def original(self, item: Item, name: str) -> Optional[str]:
        """Return the server's name of a file that is not to be sent under another name; the log tells.

        :param name: under which it would be sent.
        :return: None for a file that is to be sent.
        """
        if item.path is None:
            return None
        written = written_in(self._written, item.path.parent)
        origin = written.origin(item.path.name)
        if origin is None or origin[0] != self._service or origin[1] == name or not self._stands(origin[1]):
            return None
        if written.holds(item.path):
            log.info("%s is skipped: it is %r on the server", item.path, origin[1])
        else:
            log.warning(
                "%s is skipped, though it was changed: it is %r on the server, and a file of that name"
                " is sent by upload()",
                item.path,
                origin[1],
            )
        return origin[1]
