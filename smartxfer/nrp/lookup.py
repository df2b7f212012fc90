"""Resolution of the caller's references to records and files.

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
    """Resolves references to records and files.

    :param get_api: returns the API.
    :param get_repository_info: returns the properties of the repository.
    """

    def __init__(
        self, get_api: Callable[[], RepositoryApi], get_repository_info: Callable[[], RepositoryInfo]
    ) -> None:
        self._get_api = get_api
        self._get_repository_info = get_repository_info

    def parse_reference(self, target: Any) -> RecordRef:
        """Return the reference to a record or file."""
        return parse_reference(self._get_api(), target, lambda: get_records_path(self._get_repository_info()))

    def resolve_file(self, target: Any, key: Optional[str]) -> Tuple[RecordRef, str]:
        """Return the reference to a record, and the key of the file in it.

        :raises UsageError: the file is missing or ambiguous.
        """
        ref = self.parse_reference(target)
        if key is not None and ref.key is not None and key != ref.key:
            raise UsageError(
                f"{redact_reference(target)!r} is a file, but key={key!r:.80} is another one",
                hint="pass the record and the key, or only the file",
            )
        file_key = ref.key if key is None else require_str_key(key)
        if file_key is None:
            raise UsageError(
                f"missing key: {redact_reference(target)!r} is a record, not a file", hint="pass key=, too"
            )
        return ref, file_key

    def read_file(self, api: RepositoryApi, target: Any, key: Optional[str]) -> Tuple[File, FilesApi]:
        """Return a File, and the API for the files of its record."""
        ref, file_key = self.resolve_file(target, key)
        if isinstance(target, File):
            return target, FilesApi(api, ref.get_files_urls()[0])
        return self.read_from_record(ref, lambda files_api: (files_api.read(file_key), files_api), api)

    def read_from_record(
        self, ref: RecordRef, action: Callable[[FilesApi], T], api: Optional[RepositoryApi] = None
    ) -> T:
        """Run an action with the files of the version and state of a record that the reference means."""
        selected_api = api or self._get_api()

        def run_action(resolved: RecordRef) -> T:
            return try_in_order(resolved.get_files_urls(), lambda url: action(FilesApi(selected_api, url)))

        return run_on_latest_version(selected_api, ref, run_action)

    def modify_draft(self, ref: RecordRef, action: Callable[[FilesApi], T]) -> T:
        """Run an action with the files of the draft of a record."""
        api = self._get_api()
        try:
            return run_on_latest_version(
                api, ref, lambda resolved: action(FilesApi(api, resolved.get_files_urls(for_writing=True)[0]))
            )
        except NotFound as error:
            hint = error.own_hint or f"a published record has no draft: {NEW_VERSION_HINT}"
            raise evolve_error(error, hint=hint) from None
