"""Which file a caller means, in which version and state of a record.

Source: NRP / Invenio protocol, sections 4, 5 and 9.
"""

from typing import Any, Callable, Optional, Tuple, TypeVar

from smartxfer.error_values import evolve
from smartxfer.errors import NotFound, UsageError
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.discovery import path_of
from smartxfer.nrp.file_calls import FileCalls
from smartxfer.nrp.hints import NEW_VERSION
from smartxfer.nrp.keys import key_text
from smartxfer.nrp.models import File
from smartxfer.nrp.places import Place, first_answer, in_newest_version, place_of, shown
from smartxfer.nrp.record_models import RepositoryInfo

__all__ = ["Lookup"]

T = TypeVar("T")


class Lookup:
    """Finds records and files by what callers name them with.

    :param calls: makes the calls.
    :param repository: what the repository says of itself.
    """

    def __init__(self, calls: Callable[[], Calls], repository: Callable[[], RepositoryInfo]) -> None:
        self._calls = calls
        self._repository = repository

    def place(self, thing: Any) -> Place:
        """The place of a record or file."""
        return place_of(self._calls(), thing, lambda: path_of(self._repository()))

    def file(self, thing: Any, key: Optional[str]) -> Tuple[Place, str]:
        """The place of a record, and the key of the file in it.

        :raises UsageError: no file is named, or two are.
        """
        place = self.place(thing)
        if key is not None and place.key is not None and key != place.key:
            raise UsageError(f"{shown(thing)!r} is a file already", hint="give the record, and the key")
        found = place.key if key is None else key_text(key)
        if found is None:
            raise UsageError("which file is meant? A record has several", hint="give its key too")
        return place, found

    def described(self, calls: Calls, thing: Any, key: Optional[str]) -> Tuple[File, FileCalls]:
        """Return what the repository knows of a file, and the calls about the files of its record."""
        place, found = self.file(thing, key)
        if isinstance(thing, File):
            return thing, FileCalls(calls, place.files()[0])
        return self.first(place, lambda files: (files.read(found), files), calls)

    def first(self, place: Place, ask: Callable[[FileCalls], T], calls: Optional[Calls] = None) -> T:
        """Return the answer about a file or record, of whichever version and state is meant."""
        made = calls or self._calls()

        def step(found: Place) -> T:
            return first_answer(found.files(), lambda address: ask(FileCalls(made, address)))

        return in_newest_version(made, place, step)

    def changing(self, place: Place, step: Callable[[FileCalls], T]) -> T:
        """Do a step in the draft of a record."""
        calls = self._calls()
        try:
            return in_newest_version(
                calls, place, lambda found: step(FileCalls(calls, found.files(writing=True)[0]))
            )
        except NotFound as error:
            hint = error.hint or f"what is published has no draft: {NEW_VERSION}"
            raise evolve(error, hint=hint) from None
