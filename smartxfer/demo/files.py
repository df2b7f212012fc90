"""Files of the demo: generation of test files, and comparison of the downloads with their sources."""

import hashlib
import unicodedata
from pathlib import Path
from typing import Dict, Iterable, List

import attrs

from smartxfer.errors import LocalError
from smartxfer.transfer.local_files import collect_files

__all__ = ["DemoFiles", "find_differences", "make_files"]

_BLOCK = 1 << 20


@attrs.frozen
class DemoFiles:
    """Sources and download directory of one service.

    :param inputs: files and directories to upload.
    :param sources: path of each file, by its name in the transfer.
    :param output_directory: empty directory for the downloads.
    """

    inputs: List[Path]
    sources: Dict[str, Path]
    output_directory: Path

    @classmethod
    def from_paths(cls, paths: Iterable[Path], output_directory: Path) -> "DemoFiles":
        """Return the DemoFiles for these files and directories."""
        inputs = list(paths)
        sources = {
            unicodedata.normalize("NFC", file.name): file.path
            for file in collect_files(inputs)
            if file.path is not None
        }
        return cls(inputs, sources, output_directory)

    @property
    def sizes(self) -> List[int]:
        """Size of each file in bytes."""
        return [path.stat().st_size for path in self.sources.values()]

    @property
    def bytes(self) -> int:
        """Total size in bytes."""
        return sum(self.sizes)


def make_files(directory: Path, size: int) -> List[Path]:
    """Generate files that are difficult to send, and a large file.

    :param directory: existing, empty directory.
    :param size: bytes of the large file.
    :return: three small files, the large file, and a directory.
    """
    empty, single = directory / "empty.dat", directory / "one-byte.dat"
    accented, large = directory / "blåbær på Ærø.txt", directory / "large.bin"
    empty.write_bytes(b"")
    single.write_bytes(b"\n")
    accented.write_text("smørrebrød\n" * 100, encoding="utf-8")
    with open(large, "wb") as file:
        for number, start in enumerate(range(0, size, _BLOCK)):
            file.write(_generate_bytes(number, min(_BLOCK, size - start)))
    run = directory / "run 7"
    (run / "logs").mkdir(parents=True)
    (run / "sample.csv").write_text("place,count\n" * 500, encoding="utf-8")
    (run / "matrix.bin").write_bytes(_generate_bytes(-1, 300_000))
    (run / "logs" / "run.log").write_text("ready\n" * 50, encoding="utf-8")
    return [empty, single, accented, large, run]


def _generate_bytes(seed: int, count: int) -> bytes:
    """Return pseudorandom bytes, which depend only on the seed."""
    return hashlib.shake_128(b"smartxfer %d" % seed).digest(count)


def find_differences(demo_files: DemoFiles) -> List[str]:
    """Return the names of files whose download is missing or has another SHA-256, and of unexpected files."""
    downloads = {
        unicodedata.normalize("NFC", path.relative_to(demo_files.output_directory).as_posix()): path
        for path in demo_files.output_directory.rglob("*")
        if not path.is_dir()
    }
    different = [
        name
        for name, source in demo_files.sources.items()
        if name not in downloads or _compute_sha256(source) != _compute_sha256(downloads[name])
    ]
    return different + sorted(set(downloads) - set(demo_files.sources))


def _compute_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                digest.update(block)
    except OSError as error:
        raise LocalError(
            f"cannot read {path}: {error.strerror}", hint="check the path and its permissions"
        ) from error
    return digest.hexdigest()
