"""Which file a caller means, in which version and state of a record.

Source: NRP / Invenio protocol, sections 4, 5 and 9.
"""

from typing import Any, Callable, Optional, Tuple, TypeVar

from smartxfer.error_values import evolve_error
from smartxfer.errors import NotFound, UsageError
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.discovery import get_records_path
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.hints import NEW_VERSION_HINT
from smartxfer.nrp.keys import require_str_key
from smartxfer.nrp.models import File
from smartxfer.nrp.record_models import RepositoryInfo
from smartxfer.nrp.references import (
    RecordRef,
    parse_reference,
    redact_reference,
    run_on_latest_version,
    try_in_order,
)

__all__ = ["Lookup"]

T = TypeVar("T")


class Lookup:
    """Finds records and files by what callers name them with.

    :param get_api: makes the calls.
    :param get_repository_info: what the repository says of itself.
    """

    def __init__(
        self, get_api: Callable[[], RepositoryApi], get_repository_info: Callable[[], RepositoryInfo]
    ) -> None:
        self._get_api = get_api
        self._get_repository_info = get_repository_info

    def parse_reference(self, target: Any) -> RecordRef:
        """The place of a record or file."""
        return parse_reference(self._get_api(), target, lambda: get_records_path(self._get_repository_info()))

    def resolve_file(self, target: Any, key: Optional[str]) -> Tuple[RecordRef, str]:
        """The place of a record, and the key of the file in it.

        :raises UsageError: no file is named, or two are.
        """
        place = self.parse_reference(target)
        if key is not None and place.key is not None and key != place.key:
            raise UsageError(
                f"{redact_reference(target)!r} is a file already", hint="give the record, and the key"
            )
        found = place.key if key is None else require_str_key(key)
        if found is None:
            raise UsageError("which file is meant? A record has several", hint="give its key too")
        return place, found

    def read_file(self, api: RepositoryApi, target: Any, key: Optional[str]) -> Tuple[File, FilesApi]:
        """Return what the repository knows of a file, and the calls about the files of its record."""
        place, found = self.resolve_file(target, key)
        if isinstance(target, File):
            return target, FilesApi(api, place.get_files_urls()[0])
        return self.read_from_record(place, lambda files: (files.read(found), files), api)

    def read_from_record(
        self, ref: RecordRef, action: Callable[[FilesApi], T], api: Optional[RepositoryApi] = None
    ) -> T:
        """Return the answer about a file or record, of whichever version and state is meant."""
        made = api or self._get_api()

        def step(found: RecordRef) -> T:
            return try_in_order(found.get_files_urls(), lambda address: action(FilesApi(made, address)))

        return run_on_latest_version(made, ref, step)

    def modify_draft(self, ref: RecordRef, action: Callable[[FilesApi], T]) -> T:
        """Do a step in the draft of a record."""
        calls = self._get_api()
        try:
            return run_on_latest_version(
                calls, ref, lambda found: action(FilesApi(calls, found.get_files_urls(for_writing=True)[0]))
            )
        except NotFound as error:
            hint = error.own_hint or f"what is published has no draft: {NEW_VERSION_HINT}"
            raise evolve_error(error, hint=hint) from None
