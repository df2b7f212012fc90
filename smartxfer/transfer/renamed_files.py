"""Files to which a download gave another name: they are not uploaded again under that name.

When a directory is uploaded to the service from which it was downloaded, such a file is skipped and reported,
because a second copy of it would be created.
"""

import logging
from pathlib import Path
from typing import Callable, Dict, Optional

from smartxfer.transfer.download_history import DownloadHistory, get_download_history
from smartxfer.transfer.local_files import LocalFile

__all__ = ["RenamedFiles"]

log = logging.getLogger("smartxfer.transfer")


class RenamedFiles:
    """Finds files that a download has renamed.

    :param service: the target of the upload, as downloads from there record it.
    :param exists: returns True if the service has a file of a name.
    """

    def __init__(self, service: str, exists: Callable[[str], bool]) -> None:
        self._service = service
        self._exists = exists
        self._histories: Dict[Path, DownloadHistory] = {}

    def get_remote_name(self, file: LocalFile, name: str) -> Optional[str]:
        """Return the name on the server of a file that must be skipped, and log that; None for other files.

        :param name: the name under which the file would be uploaded.
        """
        if file.path is None:
            return None
        history = get_download_history(self._histories, file.path.parent)
        origin = history.get_origin(file.path.name)
        if origin is None or origin[0] != self._service or origin[1] == name or not self._exists(origin[1]):
            return None
        if history.is_unmodified(file.path):
            log.info("%s is skipped: its name on the server is %r", file.path, origin[1])
        else:
            log.warning(
                "%s is skipped, although it was changed: its name on the server is %r (send it by upload())",
                file.path,
                origin[1],
            )
        return origin[1]
