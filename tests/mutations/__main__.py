"""``python -m tests.mutations``: apply each mutation and run the tests that claim to catch it.

The exit code is 1 if a mutation is not caught.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import sys
import time
from typing import List, NamedTuple

from .all_mutations import MUTATIONS
from .mutated_copy import StaleMutation, WrongPackage, copy_tree
from .mutation import Mutation

#: Seconds for the tests of one mutation, and of all on the unchanged copy.
LIMIT, UNCHANGED_LIMIT = 100, 1200
#: Seconds for each test of a mutation that shows itself by a test without an end.
HANG_LIMIT = 20
_TESTS_FAILED = 1


class Result(NamedTuple):
    """Outcome of one mutation: ``caught``, ``SURVIVED``, ``stale`` or ``error``."""

    mutation: Mutation
    word: str
    seconds: float
    details: str = ""

    @property
    def line(self) -> str:
        """One line for the report."""
        return f"{self.word:8} {self.seconds:6.1f} s  {self.mutation.promise:2}  {self.mutation.id}"


def try_mutation(mutation: Mutation) -> Result:
    """Apply a mutation to a copy of the tree and run its tests."""
    started = time.monotonic()

    def result(word: str, details: str = "") -> Result:
        return Result(mutation, word, time.monotonic() - started, details)

    with copy_tree() as copy:
        try:
            copy.apply(mutation)
        except (StaleMutation, OSError) as error:
            return result("stale", str(error))
        except SyntaxError as error:
            return result("error", f"the new line does not compile: {error}")
        hanging = [f"--timeout={HANG_LIMIT}"] if mutation.hangs else []
        exit_code, output = copy.pytest(["-x", *hanging, *mutation.tests], LIMIT)
    if exit_code is None:
        return result("caught") if mutation.hangs else result("error", f"no end after {LIMIT} s\n{output}")
    if exit_code == _TESTS_FAILED:
        return result("caught", output)
    if exit_code == 0:
        return result("SURVIVED", mutation.why)
    return result("error", f"pytest ended with {exit_code}\n{output}")


def check_unchanged(mutations: List[Mutation], jobs: int) -> bool:
    """Return True if all tests of the mutations pass on an unchanged copy."""
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    started = time.monotonic()
    with copy_tree() as copy:
        try:
            copy.check_origin()
        except WrongPackage as error:
            print(f"error: {error}")
            return False
        exit_code, output = copy.pytest(["-n", str(jobs), *tests], UNCHANGED_LIMIT)
    print(f"unchanged {time.monotonic() - started:5.1f} s  exit code {exit_code}", flush=True)
    if exit_code != 0:
        print(output)
    return exit_code == 0


def run_all(mutations: List[Mutation], jobs: int, verbose: bool) -> List[str]:
    """Try every mutation and print one line for each; return the ids of those that were not caught."""
    missed = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        tries = [pool.submit(try_mutation, mutation) for mutation in mutations]
        try:
            for done in concurrent.futures.as_completed(tries):
                result = done.result()
                print(result.line, flush=True)
                if result.word != "caught":
                    missed.append(result.mutation.id)
                if result.details and (verbose or result.word != "caught"):
                    print(result.details, flush=True)
        finally:
            for one in tries:
                one.cancel()  # after Ctrl-C; those under way end first
    return missed


def run_command(mutation: Mutation, command: str) -> int:
    """Run a shell command on a copy with the mutation and return its exit code."""
    with copy_tree() as copy:
        copy.apply(mutation)
        copy.check_origin()
        return copy.run(command)


def parse_arguments(arguments: List[str]) -> argparse.Namespace:
    """Return the options, with the mutations that they select."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="ID", help="try only these")
    parser.add_argument("--promise", type=int, metavar="N", help="try only those of one promise")
    parser.add_argument("--jobs", type=int, default=2, metavar="K", help="mutations at a time (default: 2)")
    parser.add_argument("--verbose", action="store_true", help="print the output of pytest, also if caught")
    parser.add_argument(
        "--run",
        metavar="COMMAND",
        help="run this shell command on the mutated copy in place of the tests; needs one --only ID",
    )
    options = parser.parse_args(arguments)
    unknown = set(options.only or ()) - {mutation.id for mutation in MUTATIONS}
    if unknown:
        parser.error(f"unknown mutation: {', '.join(sorted(unknown))}")
    options.mutations = [
        mutation
        for mutation in MUTATIONS
        if (options.only is None or mutation.id in options.only)
        and (options.promise is None or mutation.promise == options.promise)
    ]
    if not options.mutations:
        parser.error("no mutation is selected")
    if options.run is not None and len(options.mutations) != 1:
        parser.error("--run needs exactly one mutation: --only ID")
    return options


def main(arguments: List[str]) -> int:
    """Run the check and return the exit code."""
    options = parse_arguments(arguments)
    if options.run is not None:
        return run_command(options.mutations[0], options.run)
    started = time.monotonic()
    if not check_unchanged(options.mutations, options.jobs):
        return 1
    missed = run_all(options.mutations, options.jobs, options.verbose)
    total = len(options.mutations)
    print(f"{total - len(missed)} of {total} caught in {time.monotonic() - started:.0f} s")
    if missed:
        print(f"not caught: {' '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
