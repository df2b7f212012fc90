"""``python -m tests.error_examples``: run every example and write the tables of ``docs/errors.rst``.

The exit code is 1 if an example raises another class than it says, or an error without a hint.
"""

from __future__ import annotations

import argparse
import sys
from typing import Iterator, List

from .example import EXAMPLES, Outcome, run
from .page import PAGE, key_of, replaced, sections, without_example


def _mistakes(outcomes: List[Outcome]) -> Iterator[str]:
    """Yield the first mistakes as text."""
    found = [outcome for outcome in outcomes if outcome.example.mistake]
    for number, outcome in enumerate(found, 1):
        yield f"{number}. {outcome.example.case}"
        yield f"   {outcome.kind.__name__}: {outcome.message}"
        yield f"   hint: {outcome.hint}"


def main() -> int:
    """Run the examples, write the page, and print what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.error_examples", description=__doc__)
    parser.add_argument("--only", metavar="NAME", nargs="+", help="run and print these modules or functions only")
    parser.add_argument("--mistakes", action="store_true", help="print the first mistakes")
    arguments = parser.parse_args()
    chosen = [
        example
        for example in EXAMPLES.values()
        if not arguments.only or {*key_of(example).split("."), key_of(example)} & set(arguments.only)
    ]
    outcomes = [run(example) for example in chosen]
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    if arguments.only:
        for outcome in outcomes:
            print(f"{key_of(outcome.example)}: {outcome.kind.__name__}: {outcome.message}\n    {outcome.hint}")
    else:
        made = sections({key_of(outcome.example): outcome for outcome in outcomes})
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
        problems += [f"{name}: an example is missing, or not needed" for name in without_example()]
    if arguments.mistakes:
        print("\n".join(_mistakes(outcomes)))
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
