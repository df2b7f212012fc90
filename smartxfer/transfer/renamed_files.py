"""Files that a download gave another name: they are not sent back beside the original.

Until a name is mapped back to the server's, such a file is left out when its directory is sent to where it
came from, and the caller is told.
"""

import logging
from pathlib import Path
from typing import Callable, Dict, Optional

from smartxfer.transfer.download_history import DownloadHistory, get_download_history
from smartxfer.transfer.local_files import LocalFile

__all__ = ["RenamedFiles"]

log = logging.getLogger("smartxfer.transfer")


class RenamedFiles:
    """Finds such files.

    :param service: whereto a directory is sent, as downloads from there note it.
    :param exists: tells whether a file of a name is there.
    """

    def __init__(self, service: str, exists: Callable[[str], bool]) -> None:
        self._service = service
        self._exists = exists
        self._histories: Dict[Path, DownloadHistory] = {}

    def get_remote_name(self, file: LocalFile, name: str) -> Optional[str]:
        """Return the server's name of a file that is not to be sent under another name; the log tells.

        :param name: under which it would be sent.
        :return: None for a file that is to be sent.
        """
        if file.path is None:
            return None
        written = get_download_history(self._histories, file.path.parent)
        origin = written.get_origin(file.path.name)
        if origin is None or origin[0] != self._service or origin[1] == name or not self._exists(origin[1]):
            return None
        if written.is_unmodified(file.path):
            log.info("%s is skipped: it is %r on the server", file.path, origin[1])
        else:
            log.warning(
                "%s is skipped, though it was changed: it is %r on the server, and a file of that name"
                " is sent by upload()",
                file.path,
                origin[1],
            )
        return origin[1]
