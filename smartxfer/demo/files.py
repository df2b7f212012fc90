"""The files of the demo: generated ones, their digests, and what came back of them."""

import hashlib
import unicodedata
from pathlib import Path
from typing import Dict, Iterable, List

import attrs

from smartxfer.errors import LocalError
from smartxfer.transfer.tree import collect

__all__ = ["Plan", "differences", "make_files"]

_BLOCK = 1 << 20


@attrs.frozen
class Plan:
    """What is sent, and where it is fetched to.

    :param things: files and directories, as an upload takes them.
    :param sources: the file behind each name that it has in the transfer.
    :param out: an empty directory for what comes back.
    """

    things: List[Path]
    sources: Dict[str, Path]
    out: Path

    @classmethod
    def of(cls, things: Iterable[Path], out: Path) -> "Plan":
        """The plan for these files and directories."""
        found = list(things)
        items = collect(found)
        sources = {
            unicodedata.normalize("NFC", item.name): item.path for item in items if item.path is not None
        }
        return cls(found, sources, out)

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
            file.write(_noise(number, min(_BLOCK, size - start)))
    run = directory / "run 7"
    (run / "logs").mkdir(parents=True)
    (run / "sample.csv").write_text("place,count\n" * 500, encoding="utf-8")
    (run / "matrix.bin").write_bytes(_noise(-1, 300_000))
    (run / "logs" / "run.log").write_text("ready\n" * 50, encoding="utf-8")
    return [empty, single, accented, large, run]


def _noise(number: int, count: int) -> bytes:
    """Bytes without a pattern, the same ones for the same number."""
    return hashlib.shake_128(b"smartxfer %d" % number).digest(count)


def differences(plan: Plan) -> List[str]:
    """Names of the files that did not come back as they were sent, by SHA-256; extra ones included."""
    fetched = {
        unicodedata.normalize("NFC", path.relative_to(plan.out).as_posix()): path
        for path in plan.out.rglob("*")
        if not path.is_dir()
    }
    wrong = [
        name
        for name, source in plan.sources.items()
        if name not in fetched or _digest(source) != _digest(fetched[name])
    ]
    return wrong + sorted(set(fetched) - set(plan.sources))


def _digest(path: Path) -> str:
    state = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                state.update(block)
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}") from error
    return state.hexdigest()
