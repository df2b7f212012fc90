"""The files of the demo: generated ones, their digests, and what came back of them."""

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
    """What is sent, and where it is fetched to.

    :param things: files and directories, as an upload takes them.
    :param sources: the file behind each name that it has in the transfer.
    :param out: an empty directory for what comes back.
    """

    inputs: List[Path]
    sources: Dict[str, Path]
    output_directory: Path

    @classmethod
    def from_paths(cls, paths: Iterable[Path], output_directory: Path) -> "DemoFiles":
        """The plan for these files and directories."""
        found = list(paths)
        items = collect_files(found)
        sources = {
            unicodedata.normalize("NFC", item.name): item.path for item in items if item.path is not None
        }
        return cls(found, sources, output_directory)

    @property
    def sizes(self) -> List[int]:
        """Size of each file, bytes."""
        return [path.stat().st_size for path in self.sources.values()]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(self.sizes)


def make_files(directory: Path, size: int) -> List[Path]:
    """Generate the files that are awkward to send, and a large one.

    :param directory: an existing, empty one.
    :param size: of the large one, bytes.
    :return: three small files, the large one, and a directory.
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
    """Bytes without a pattern, the same ones for the same number."""
    return hashlib.shake_128(b"smartxfer %d" % seed).digest(count)


def find_differences(demo_files: DemoFiles) -> List[str]:
    """Names of the files that did not come back as they were sent, by SHA-256; extra ones included."""
    fetched = {
        unicodedata.normalize("NFC", path.relative_to(demo_files.output_directory).as_posix()): path
        for path in demo_files.output_directory.rglob("*")
        if not path.is_dir()
    }
    wrong = [
        name
        for name, source in demo_files.sources.items()
        if name not in fetched or _compute_sha256(source) != _compute_sha256(fetched[name])
    ]
    return wrong + sorted(set(fetched) - set(demo_files.sources))


def _compute_sha256(path: Path) -> str:
    state = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                state.update(block)
    except OSError as error:
        raise LocalError(
            f"{path} cannot be read: {error.strerror}", hint="check the path and its permissions"
        ) from error
    return state.hexdigest()
