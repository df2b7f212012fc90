"""The interface between the soak and a service: what an adapter has to provide.

An adapter is one module, named like the service, with one subclass of :class:`ClientProtocol`, and
``SERVICE = <that class>`` at its end; ``filesender.py`` is the worked example.
The soak decides when a run is broken, and how; the adapter knows the service: what may be transferred,
by which call, and how to find out what has become of it.

The life of a case::

    kind, items, options = service.plan(...)    # from the seed alone; nothing is touched
    service.prepare(case)                       # in the worker: sources on the disk, contents on the server
    service.run(case)                           # in a forked child, again and again until it succeeds
    service.check(case, findings)               # in the worker: compare everything

Only ``run`` is disturbed by faults and signals.  It is one call (or a fixed sequence of calls) such as a
user would write it, and it must be right to repeat it.
"""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

if TYPE_CHECKING:
    from tests.soak.case import Case

#: Bytes of a chunk, a part or a piece: small files have several.
PIECE = 64 << 10


class Item(NamedTuple):
    """A planned file: the seed determines its content.

    :param name: path relative to the source or the target, with ``/``.
    """

    name: str
    size: int
    seed: str

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        if not self.size:
            return b""
        return random.Random(self.seed).getrandbits(8 * self.size).to_bytes(self.size, "little")

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content).hexdigest()


class Findings:
    """Faults that a case has shown: (column, text) pairs; see :data:`BAD` for the columns."""

    def __init__(self) -> None:
        self.all: List[Tuple[str, str]] = []

    def add(self, column: str, text: str) -> None:
        """Note something wrong.

        :param column: one of :data:`BAD`.
        """
        assert column in BAD, column
        self.all.append((column, text))

    def compare(self, what: str, items: Sequence[Item], digests: Mapping[str, str]) -> None:
        """Compare SHA-256 digests by name with the planned files.

        A missing file is ``lost``, another content is ``wrong``, a file that is not planned is ``left``.

        :param what: what is compared, for the text: ``"target"``, ``"transfer 17"``.
        """
        for item in items:
            found = digests.get(item.name)
            if found is None:
                self.add("lost", f"{what}: {item.name} is missing")
            elif found != item.digest:
                self.add("wrong", f"{what}: {item.name} has other content than planned ({item.size} bytes)")
        for name in sorted(set(digests) - {item.name for item in items}):
            self.add("left", f"{what}: {name} is not planned")


#: The bad columns.
BAD = ("wrong", "lost", "duplicates", "hangs", "untyped", "leaked", "left")


def digests_in(directory: Path) -> Dict[str, str]:
    """Return SHA-256 digests of all files in a directory by relative name, hidden and temporary ones included."""
    paths = [path for path in sorted(directory.rglob("*")) if not path.is_dir()]
    return {path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def digests_below(site: Any, top: str) -> Dict[str, str]:
    """Return SHA-256 digests of all files of a service below a directory by relative name."""
    paths = [path for path in site.files() if path.startswith(f"{top}/")]
    return {path[len(top) + 1 :]: hashlib.sha256(site.read(path)).hexdigest() for path in paths}


def some_size(chance: random.Random) -> int:
    """Draw a size: mostly small, often near multiples of the chunk size, now and then large."""
    draw = chance.random()
    if draw < 0.12:
        return chance.choice((0, 1))
    if draw < 0.6:
        return max(0, chance.choice((1, 2, 3, 5, 9)) * PIECE + chance.choice((-1, 0, 0, 1)))
    if draw < 0.985:
        return int(2 ** chance.uniform(1, 20.5))
    return int(2 ** chance.uniform(21, 26))


def one_file(chance: random.Random, seed: str) -> Item:
    """Draw one file."""
    return Item(f"{safe(seed)}.bin", some_size(chance), seed)


def some_tree(chance: random.Random, seed: str) -> List[Item]:
    """Draw a few small files in a few directories."""
    names = [f"{chance.choice(('', 'a/', 'a/b c/', 'd/'))}{number}.dat" for number in range(chance.randint(2, 8))]
    return [Item(name, min(some_size(chance), 4 * PIECE), f"{seed}/{number}") for number, name in enumerate(names)]


def safe(seed: str) -> str:
    """Return a case seed as part of a file name."""
    return re.sub(r"[^\w-]+", "-", seed)


class Service:
    """An adapter: a subclass without state, one instance per worker."""

    #: Name as in ``--service``, and of the service in the local server.
    name: ClassVar[str] = ""
    #: Options of the local server by service, such as ``{"filesender": {"upload_chunk_size": 65536}}``.
    #: No ports: the soak adds them.
    options: ClassVar[Dict[str, Dict[str, Any]]] = {}
    #: The kinds of cases and their weights, such as ``{"upload": 3, "download": 3, "tree-up": 1}``.
    kinds: ClassVar[Dict[str, int]] = {}
    #: Kinds in which a source file may change in mid-run, and those that write local files (disk full).
    sources: ClassVar[Tuple[str, ...]] = ()
    targets: ClassVar[Tuple[str, ...]] = ()

    def plan(self, kind: str, chance: random.Random, seed: str) -> Tuple[List[Item], Dict[str, Any]]:
        """Draw the files of a case, and options of its call.  Use ``chance`` only, and names that contain
        :func:`safe` of the seed where cases share a place on the server.
        """
        raise NotImplementedError

    def faults(self, kind: str) -> List[Tuple[str, Sequence[str]]]:
        """Return the faults of a kind, as (match, effects) pairs: ``[("PUT /rest.php/file/*", effects.UP)]``.

        Each effect of the list may happen any number of times, also more often than the client retries; the
        soak removes all faults before the last runs.  A match may start with ``"other-service: "``.
        """
        return []

    def prepare(self, case: Case) -> None:
        """Prepare a case; runs in the worker, without faults.

        ``case.write_sources()`` has been called for kinds of :attr:`sources`.  Put what is to be
        downloaded on the server with ``case.ask(function, ...)``, and note in ``case.facts`` what ``run``
        and ``check`` need: addresses, tokens, ids.  Append each secret of this case to ``case.secrets``.
        """
        raise NotImplementedError

    def run(self, case: Case) -> int:
        """Make the call, in a child process, and return the resumed bytes; raise what it raises.

        The child has a state directory of its own in its environment and nothing else: neither credentials
        nor addresses.  Close the client (``with``).  Use ``case.retry`` and ``case.timeout``; upload from
        ``case.source`` (a directory), download into ``case.target``, which does not exist at first.
        """
        raise NotImplementedError

    def check(self, case: Case, findings: Findings) -> None:
        """Compare everything, after a run that succeeded; look at the server with ``case.ask(function, ...)``.

        After an upload: exactly ``case.items`` with their contents, nothing incomplete besides, at least one
        and at most ``case.most_objects`` complete objects.  After a download: exactly ``case.items`` in
        ``case.target``; a local file left over is ``left``.  Use ``findings.compare``.
        """
        raise NotImplementedError

    def clean(self, case: Case) -> None:
        """Remove what the case has stored on the server, so that it stays small.  Called after a good case."""

    def exclusive(self, case: Case, method: str, path: str) -> Optional[str]:
        """Return a name of what only one process at a time may do by this request, or None.

        Two runs of the same call with the same state directory must not interleave requests of one name: when
        they do, a lock was not taken.  For a call that locks as a whole, return the same word for every
        request that changes something.  Partial files of downloads are watched without this.

        :param path: with query, as on the request line.
        """
        return None
