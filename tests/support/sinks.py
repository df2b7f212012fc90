"""Downloads into a file, step by step: sinks that have begun, what an earlier run left, and disks that fail."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Tuple

from smartxfer._system import FileSystem
from smartxfer.transfer.extents import missing_extents
from smartxfer.transfer.file_sink import FileSink

ID = {"object": 1}
DATA = b"0123456789"


def names(directory: Path) -> List[str]:
    return sorted(os.listdir(directory))


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def side_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


def begun(target: Path, size: Any = 10, identity: Any = None, **settings: Any) -> Tuple[FileSink, Any]:
    """Begin a download; return the sink, and the extents that are there."""
    sink = FileSink(target, **settings)
    return sink, sorted(sink.begin(size, identity or ID))


def left(target: Path, *pieces: Tuple[int, bytes]) -> None:
    """Run a download that writes (offset, bytes) and is broken off."""
    sink, _ = begun(target)
    for offset, data in pieces:
        sink.write_at(data, offset)
    sink.suspend()


def killed(target: Path, data: bytes = DATA[:5], size: int = len(DATA), **settings: Any) -> None:
    """Run a download whose process is killed: its descriptors are closed, nothing is tidied up."""
    sink, _ = begun(target, size, **settings)
    sink.write_at(data, 0)
    sink._open_part._descriptor.close()


def written(target: Path, have: Iterable[Any] = (), data: bytes = DATA, **settings: Any) -> FileSink:
    """Begin a download, find the extents ``have``, and write the others; the file has not its name yet."""
    sink, found = begun(target, len(data), **settings)
    assert found == list(have)
    for start, stop in missing_extents(len(data), found, len(data)):
        sink.write_at(data[start:stop], start)
    return sink


def fetched(target: Path, have: Iterable[Any] = (), data: bytes = DATA, **settings: Any) -> None:
    """Run a download that finds the extents ``have``, and completes."""
    written(target, have, data, **settings).commit()
    assert target.read_bytes() == data


_HOLDER = """
import sys
from smartxfer.transfer.file_sink import FileSink
sink = FileSink(sys.argv[1])
sink.begin(10, {"object": 1})
sink.write_at(b"01234", 0)
sink._save()
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def held_by_a_process(python: List[str], target: Path, state: Path) -> Iterator[None]:
    """Have a process download into the target, with that state directory; it is killed in the end."""
    environment = {**os.environ, "SMARTXFER_STATE_DIR": str(state)}
    command = [*python, "-c", _HOLDER, str(target)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.kill()
        holder.wait(30)


def raising(error: Any) -> Callable[..., Any]:
    """Return a function that raises the error, whatever its arguments."""

    def refuse(*given: Any, **named: Any) -> Any:
        raise error

    return refuse


def hooked(**hooks: Callable[..., Any]) -> FileSystem:
    """Return a file system that calls the hook of an operation, with its arguments, before the operation."""
    files = FileSystem()
    for name, hook in hooks.items():
        real = getattr(files, name)
        setattr(files, name, lambda *given, hook=hook, real=real: (hook(*given), real(*given))[1])
    return files


def without_final_name(error: Any) -> FileSystem:
    """Return a file system that raises when a file gets its final name; state files are replaced."""
    return hooked(replace=lambda source, target: str(target).endswith(".json") or raising(error)())
