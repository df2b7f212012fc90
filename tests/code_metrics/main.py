"""The report of ``python -m tests.code_metrics``."""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path
from typing import Dict, List

from tests.code_metrics.lines import Place, code_lines, shared_stretches

#: Lines of logic that two services may have in common.
LEAST = 6
SERVICES = ("filesender", "smartfile", "nrp", "perseus", "jetstream")


def parts_of(root: Path) -> Dict[str, List[Path]]:
    """Return the files of the client, of the local server and of the tests."""
    package, local = root / "smartxfer", root / "smartxfer" / "local"
    every = sorted(package.rglob("*.py"))
    return {
        "client": [path for path in every if local not in path.parents],
        "local server": [path for path in every if local in path.parents],
        "tests": sorted((root / "tests").rglob("*.py")),
    }


def between_services(root: Path) -> List[str]:
    """Return the places of different services that share at least six lines of logic."""
    package = root / "smartxfer"
    paths = [path for name in SERVICES for path in sorted((package / name).rglob("*.py"))]

    def service(place: Place) -> str:
        return place.path.relative_to(package).parts[0]

    return [
        f"{_shown(one, root)} and {_shown(other, root)}: {length} lines"
        for one, other, length in shared_stretches(paths, LEAST)
        if service(one) != service(other)
    ]


def main(root: Path) -> None:
    """Print the report."""
    options = argparse.ArgumentParser(prog="python -m tests.code_metrics", description=__doc__)
    options.add_argument("--verbose", action="store_true", help="name the places, modules and frames")
    verbose = options.parse_args().verbose
    print("lines of code without docstrings and comments")
    for part, paths in parts_of(root).items():
        print(f"  {part:<14}{sum(len(code_lines(path)) for path in paths):>8}  in {len(paths)} files")
    for part in ("client", "local server"):
        found = list(shared_stretches(parts_of(root)[part], LEAST))
        print(f"pairs of places in the {part} that share {LEAST} or more lines of logic: {len(found)}")
        for one, other, length in found if verbose else ():
            print(f"  {_shown(one, root)} and {_shown(other, root)}: {length} lines")
    shared = between_services(root)
    print(f"of these between services: {len(shared)}")
    _print_ways(root, verbose)


def _print_ways(root: Path, verbose: bool) -> None:
    from tests.code_metrics.ways import contract_services, measure

    print("one file of 100 kB: modules entered; frames between the public call and Session.send: all of them,")
    print("of these in the thread that waits, and in the one that sends")
    for service in contract_services(root):
        for way in measure(service):
            frames = f"{len(way.frames):>4} frames ({len(way.waiting)} + {len(way.sending)})"
            print(f"  {way.service:<12}{way.verb:<10}{len(way.modules):>4} modules{frames}")
            for room, names in groupby(way.modules, lambda name: name.split("/")[0]) if verbose else ():
                print(f"      {room}: {' '.join(name.split('/')[-1][:-3] for name in names)}")
            for thread, frames_of in (("waiting", way.waiting), ("sending", way.sending)) if verbose else ():
                print(f"      {thread}")
                for frame in frames_of:
                    print(f"      > {frame}")


def _shown(place: Place, root: Path) -> str:
    return f"{place.path.relative_to(root)}:{place.number}"
