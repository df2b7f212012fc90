"""FileSender with end-to-end encryption, as the contract suite sees it, and an older server."""

import base64
import json
from pathlib import Path
from typing import Any, Dict, List, Mapping

from smartxfer import FileSenderClient
from smartxfer.transfer import FileResult
from tests.support import reference_encryption as by_hand
from tests.support.contract.filesender_service import FileSender

PASSWORD = "A-passw0rd-for-the-suite"


#: What shows that bytes come and go, whatever they are wrapped in.
_THERE_AND_BACK = frozenset(
    {
        "test_every_size_comes_back", "test_an_upload_sends_only_what_is_missing",
        "test_a_download_fetches_only_what_is_missing", "test_a_broken_part_is_sent_again_whole",
    }
)


class OlderFileSender(FileSender):
    """FileSender 2.67."""

    label = "filesender-2.67"
    #: Tests of the fast suite; the others repeat what is shown elsewhere.
    fast = _THERE_AND_BACK | {
        "test_a_directory", "test_an_error_is_typed_and_tells", "test_what_is_not_there",
    }
    site_options = {**FileSender.site_options, "version": "2.67"}


class EncryptedFileSender(FileSender):
    """FileSender, every file encrypted: AES-GCM, as the stock 3.x asks for."""

    label = "filesender-encrypted"
    #: Bytes of the most that one answer carries: chunks are fetched one by one.
    piece = FileSender.chunk
    #: Requests that prove the password before a download begins.
    proofs = probes = 1
    #: Bytes that a download fetches beyond those of the file: a chunk for the proof, and the encryption's overhead.
    beyond = FileSender.chunk + 8 * 32
    fast = _THERE_AND_BACK | {
        "test_a_body_that_breaks_is_gone_on_with", "test_a_callback_that_raises_cancels",
        "test_a_cancel_ends_a_dead_line_within_two_seconds", "test_a_directory",
        "test_a_directory_upload_sends_only_the_files_that_are_missing",
        "test_a_download_does_not_build_upon_a_damaged_rest", "test_a_failure_leaves_the_final_name_alone",
        "test_a_pipe_takes_a_download", "test_a_source_that_grows_while_it_is_sent_is_no_success",
        "test_an_upload_of_a_changed_file_starts_from_the_beginning", "test_each_part_goes_once",
        "test_every_file_is_reported_from_queued_to_done",
        "test_it_steps_back_only_where_something_is_tried_again", "test_sinks", "test_sources",
    }
    site_options = {**FileSender.site_options, "encryption_iterations": 3}

    def upload(self, client: FileSenderClient, things: List[Any], **options: Any) -> Any:
        """Encrypt and send; what comes back is enough to fetch it again."""
        return super().upload(client, things, password=PASSWORD, **options)

    def download(self, client: FileSenderClient, handle: Any, into: Path, **options: Any) -> List[FileResult]:
        """Fetch and open all of it into a directory."""
        return super().download(client, handle, into, password=PASSWORD, **options)

    def download_to(self, client: FileSenderClient, handle: Any, sink: Any) -> FileResult:
        """Fetch and open the only file into a sink."""
        return client.download_file(handle, handle.files[0], sink, password=PASSWORD)

    def plant(self, files: Mapping[str, bytes]) -> Any:
        """Have the server hold files, of names too that our own client would not send; the handle to them."""
        with self.client() as client:
            given = [(f"{number}.bin", data) for number, data in enumerate(files.values())]
            handle = client.upload_workflow(given, link=True, password=PASSWORD)
        records = self.site.backend.repository
        with records.db.transaction():
            for number, name in enumerate(files):
                records.db.execute_count(
                    "UPDATE files SET name=? WHERE name=? AND transfer_id=?", name, f"{number}.bin", handle.id
                )
        return handle

    def stored(self) -> Dict[str, bytes]:
        """Return the decrypted content of complete uploads on the server, by name."""
        encrypted, found = super().stored(), {}
        for transfer in self.site.transfers():
            for file in transfer["files"]:
                if transfer["status"] == "available":
                    found[file["name"]] = _decrypt(transfer, file, encrypted[file["name"]])
        return found


class OlderEncryptedFileSender(EncryptedFileSender):
    """FileSender 2.67, every file encrypted: AES-CBC, as it asks for."""

    label = "filesender-2.67-encrypted"
    fast = _THERE_AND_BACK
    site_options = {**EncryptedFileSender.site_options, "version": "2.67"}


def _decrypt(transfer: Mapping[str, Any], file: Mapping[str, Any], encrypted: bytes) -> bytes:
    """Return the bytes of a stored file, decrypted without code of the package."""
    settings, step = json.loads(transfer["encryption"]), transfer["chunk_size"] + 32
    version, rounds = settings["key_version"], settings["password_hash_iterations"]
    key = by_hand.key_of(PASSWORD, version, 1, transfer["salt"], rounds)
    aead = base64.b64decode(file["aead"] or "").decode()
    blobs = [encrypted[at : at + step] for at in range(0, len(encrypted), step)]
    chunks = [by_hand.decrypt(version, key, blob, aead) for blob in blobs]
    assert None not in chunks, f"{file['name']} cannot be decrypted"
    return b"".join(chunk for chunk in chunks if chunk is not None)
