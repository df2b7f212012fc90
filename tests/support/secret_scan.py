"""Search for secrets in everything that an exception, a log and a directory show."""

from __future__ import annotations

import logging
import pickle
import re
import traceback
from pathlib import Path
from typing import Any, Callable, Iterable, List, Optional, Pattern, Union

TESTS = Path(__file__).resolve().parent.parent

#: What may go wrong with any request ...
ALWAYS = [
    "status 400 body=html",
    "status 401",
    "status 403 body=json:not_yours",
    "status 407",
    "status 429 retry-after=86400",
    "status 500",
    "status 503 retry-after=0",
    "status 200 body=html",
    "redirect /elsewhere",
    "redirect {target} 307",
    "redirect http://127.0.0.1:1{target}",
    "redirect http://[bad{target}",
    "reset-before",
    "stall",
    "lose-answer",
    "no-answer",
]
#: ... with one that has a body, and with one whose answer has.
SENDING = ["reset-after 1", "stall-after 1"]
FETCHING = ["truncate 5", "no-length close truncate 5", "drip 1/0.3", "flip 5", "extra-byte", "reset-after-sent 5"]


def errors_of(*steps: Callable[[], Any]) -> List[BaseException]:
    """Carry out each of these; the errors."""
    errors: List[BaseException] = []
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is
            errors.append(error)
    return errors


def check(secrets: Iterable[Union[str, Pattern[str]]], where: str, text: str) -> None:
    """See that none of the secrets is in a text.

    :param secrets: texts, or patterns.
    """
    for secret in secrets:
        assert secret, "a secret that is not there cannot be looked for"
        found = re.search(re.escape(secret) if isinstance(secret, str) else secret, text)
        assert not found, f"a secret in {where}: ...{text[max(0, found.start() - 200) : found.end() + 20]}..."


def check_all(
    secrets: Iterable[Union[str, Pattern[str]]],
    errors: Iterable[BaseException] = (),
    records: Iterable[logging.LogRecord] = (),
    directories: Iterable[Path] = (),
    shown: Any = (),
) -> None:
    """See that none of the secrets is in errors, in the log, in files, or in a representation.

    :param shown: objects, of which ``repr`` is taken.
    """
    searched = list(secrets)
    check(searched, "an error", "\n".join(map(error_text, errors)))
    check(searched, "the log", logged(records))
    check(searched, "a file", kept(*directories))
    check(searched, "a repr", repr(shown))


def chain(error: Optional[BaseException]) -> List[BaseException]:
    """An exception and all that hang on it: causes, contexts, arguments, those of the files of a batch."""
    seen: List[BaseException] = []
    pending: List[Any] = [error]
    while pending:
        link = pending.pop()
        if isinstance(link, BaseException) and link not in seen:
            seen.append(link)
            pending += [link.__cause__, link.__context__, *(getattr(link, "errors", None) or ())]
            pending += link.args
    return seen


def error_text(error: BaseException) -> str:
    """Return all text of an exception, in every form that may be stored, and the local variables of each frame."""
    said = traceback.format_exception(type(error), error, error.__traceback__)
    for link in chain(error):
        said += [str(link), repr(link), repr(link.args), repr(vars(link)), str(getattr(link, "hint", ""))]
        said += [pickle.dumps(link).decode("latin-1"), repr(pickle.loads(pickle.dumps(link)))]
    return "\n".join([*said, captured(error)])


def captured(error: BaseException) -> str:
    """The local variables of every frame below the test's own, as cgitb, pytest -l and rich show them."""
    said = []
    for link in chain(error):
        for frame, line in traceback.walk_tb(link.__traceback__):
            path = Path(frame.f_code.co_filename)
            if TESTS in path.parents:
                continue
            for name, value in frame.f_locals.items():
                said.append(f"{path.name}:{line} {frame.f_code.co_name}: {name} = {_shown(value)}")
    return "\n".join(said)


def _shown(value: Any) -> str:
    """By repr, as the standard library has it, and the start of a text, as rich does."""
    try:
        return f"{value!r} {value[:80]!r}" if isinstance(value, str) else repr(value)
    except Exception as error:  # noqa: BLE001 - as the tools do
        return f"<{type(error).__name__}>"


def logged(records: Iterable[logging.LogRecord]) -> str:
    """Every record: its message, its arguments, its traceback."""
    plain = logging.Formatter("%(name)s %(message)s")
    return "\n".join(f"{plain.format(record)} {record.args!r} {record.exc_info!r}" for record in records)


def kept(*directories: Path) -> str:
    """Every file there, names included."""
    files = [path for directory in directories if directory.exists() for path in directory.rglob("*") if path.is_file()]
    return "\n".join(f"{path} {path.read_bytes().decode('latin-1')}" for path in files)
