"""The page of errors: every public class has an example, and the page shows what running the examples gives."""

from __future__ import annotations

import sys

from tests.error_examples.advice import ADVICE
from tests.error_examples.example import EXAMPLES, run
from tests.error_examples.page import GENERIC, PAGE, key_of, parts, sections, without_example

_ADVICE = "run `python -m tests.error_examples`"


def test_every_public_class_has_an_example_and_advice() -> None:
    assert without_example() == []
    assert set(ADVICE) == set(GENERIC)


def test_thirty_first_mistakes_are_shown() -> None:
    mistakes = [example for example in EXAMPLES.values() if example.mistake]
    assert len(mistakes) >= 30
    assert len({example.case for example in mistakes}) == len(mistakes)


def test_the_page_shows_what_the_examples_raise() -> None:
    """Fails if a class, a message or a hint changed, if a hint is missing, or if an example raises another class.

    Words of Python itself differ between its versions: the page has those of the newest.
    """
    outcomes = [run(example) for example in EXAMPLES.values()]
    assert [problem for outcome in outcomes for problem in outcome.problems] == []
    if sys.version_info < (3, 13):
        return
    made = sections({key_of(outcome.example): outcome for outcome in outcomes})
    page = parts(PAGE.read_text(encoding="utf-8"))
    for name, text in made.items():
        assert page[name].split("\n") == text.split("\n"), _ADVICE
