"""The NRP page's complete workflows and its error handling, whole; see test_nrp_seed.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer import RetryPolicy
from smartxfer.local import LocalServer
from smartxfer.nrp import File, Record, get_client
from tests.support.nrp_page import Capture, Client, Contents, Local, md5


def test_upload_multiple_files_and_publish(repository: Any, client: Client, root: str, local: Local) -> None:
    names = ("experiment1.csv", "experiment2.csv", "README.txt")
    for name in names:
        local(f"/data/{name}", name.encode())

    def create_record_with_files(title: str, file_paths: List[str]) -> Record:
        """Create record and upload multiple files."""
        # Create draft record
        draft = client.records.create(
            {
                "metadata": {
                    "title": title,
                    "creators": [{"person_or_org": {"name": "Researcher"}}],
                    "resource_type": {"id": "dataset"},
                }
            }
        )
        # Upload each file
        for path in file_paths:
            filename = Path(path).name
            client.files.upload(
                draft,
                key=filename,
                metadata={"description": f"Data file: {filename}"},
                source=path,
                progress=f"Uploading {filename}",
            )
        # Publish the record
        published = client.records.publish(draft)
        return published

    # Use it
    published = create_record_with_files(
        "Research Dataset 2024",
        [f"{root}/data/experiment1.csv", f"{root}/data/experiment2.csv", f"{root}/data/README.txt"],
    )
    assert published.is_published
    assert published.metadata["title"] == "Research Dataset 2024"
    assert published.id in repository.published()
    assert published.id not in repository.drafts()
    assert {file.key: file.metadata for file in client.files.list(published)} == {
        name: {"description": f"Data file: {name}"} for name in names
    }
    assert [repository.read(published.id, name) for name in names] == [name.encode() for name in names]


@pytest.mark.parametrize("published", [False, True])
def test_download_complete_record_with_files(
    repository: Any, client: Client, contents: Contents, root: str, capsys: Capture, published: bool
) -> None:
    abc_123 = repository.create(contents, published=published, metadata={"title": "Whole"})

    def download_record_with_files(record_id: str, output_dir: str) -> Path:
        """Download record metadata and all files."""
        import json
        from pathlib import Path

        # Create output directory
        output_path = Path(output_dir) / record_id
        output_path.mkdir(parents=True, exist_ok=True)
        # Get record (can be draft or published)
        record = client.records.draft_records.read(record_id)
        # Save metadata
        metadata_file = output_path / "metadata.json"
        with open(metadata_file, "w") as f:
            json.dump(record.metadata, f, indent=2)
        # Download files
        files = client.files.list(record)
        files_dir = output_path / "files"
        files_dir.mkdir(exist_ok=True)
        for file in files:
            file_path = files_dir / file.key
            client.files.download(file, str(file_path), progress=f"Downloading {file.key}")
            # Also save file metadata
            file_meta_path = files_dir / f"{file.key}.metadata.json"
            with open(file_meta_path, "w") as f:
                json.dump(
                    {
                        "key": file.key,
                        "size": file.size,
                        "checksum": file.checksum,
                        "mimetype": file.mimetype,
                        "metadata": file.metadata,
                    },
                    f,
                    indent=2,
                )
        return output_path

    # Use it
    saved_to = download_record_with_files(abc_123, f"{root}/backups")
    print(f"Downloaded to: {saved_to}")

    import json

    assert capsys.readouterr().out == f"Downloaded to: {root}/backups/{abc_123}\n"
    assert json.loads((saved_to / "metadata.json").read_text())["title"] == "Whole"
    for key, data in contents.items():
        assert (saved_to / "files" / key).read_bytes() == data
        said = json.loads((saved_to / "files" / f"{key}.metadata.json").read_text())
        assert (said["key"], said["size"], said["checksum"], said["metadata"]) == (
            key,
            len(data),
            md5(data),
            {},
        )
    assert len(list((saved_to / "files").iterdir())) == 2 * len(contents)


@pytest.mark.parametrize("there", [True, False])
def test_replace_file_with_new_version(
    repository: Any, client: Client, root: str, local: Local, there: bool
) -> None:
    local("/path/to/new_data.csv", b"new version")
    record = client.records.draft_records.read(repository.create({"data.csv": b"old"} if there else {}))

    def replace_file(record: Record, key: str, new_file_path: str) -> File:
        """Replace an existing file with a new version."""
        # Delete old file
        try:
            client.files.delete(record, key=key)
        except Exception:  # noqa: BLE001 - as the page has it
            pass  # File might not exist
        # Upload new version
        file = client.files.upload(
            record,
            key=key,
            metadata={"description": "Updated version"},
            source=new_file_path,
            progress=f"Uploading {key}",
        )
        return file

    # Use it
    updated = replace_file(record, "data.csv", f"{root}/path/to/new_data.csv")
    assert (updated.checksum, updated.metadata) == (md5(b"new version"), {"description": "Updated version"})
    assert repository.read(record.id, "data.csv") == b"new version"
    assert repository.files(record.id) == {"data.csv": 11}


def test_sync_files_from_directory(
    repository: Any, client: Client, root: str, local: Local, capsys: Capture
) -> None:
    for name in ("a.csv", "b.csv", "inner/c.csv"):
        local(f"/data/experiment_2024/{name}", name.encode())
    draft_record = client.records.draft_records.read(repository.create())

    def sync_files_to_record(record: Record, directory_path: str) -> List[File]:
        """Upload all files from directory to record."""
        from pathlib import Path

        directory = Path(directory_path)
        uploaded = []
        for file_path in directory.iterdir():
            if file_path.is_file():
                file = client.files.upload(
                    record,
                    key=file_path.name,
                    metadata={
                        "description": f"Synced from {directory.name}",
                        "original_path": str(file_path),
                    },
                    source=str(file_path),
                    progress=f"Uploading {file_path.name}",
                )
                uploaded.append(file)
        return uploaded

    # Use it
    files = sync_files_to_record(draft_record, f"{root}/data/experiment_2024")
    print(f"Uploaded {len(files)} files")
    assert capsys.readouterr().out == "Uploaded 2 files\n"
    assert repository.files(draft_record.id) == {"a.csv": 5, "b.csv": 5}
    assert {file.key: file.metadata for file in client.files.list(draft_record)} == {
        name: {
            "description": "Synced from experiment_2024",
            "original_path": f"{root}/data/experiment_2024/{name}",
        }
        for name in ("a.csv", "b.csv")
    }


@pytest.mark.parametrize("published", [False, True])
def test_copy_files_between_records(
    repository: Any, client: Client, contents: Contents, capsys: Capture, published: bool
) -> None:
    source_123 = repository.create()
    for key, data in contents.items():
        repository.write(source_123, key, data, {"description": f"About {key}"})
    if published:
        client.records.publish(client.records.draft_records.read(source_123))
    dest_456 = repository.create()

    def copy_files_between_records(source_record_id: str, dest_record_id: str) -> int:
        """Copy all files from one record to another."""
        import tempfile
        from pathlib import Path

        # Can copy from/to draft or published records
        source_record = client.records.draft_records.read(source_record_id)
        dest_record = client.records.draft_records.read(dest_record_id)
        source_files = client.files.list(source_record)
        # Use temporary directory for intermediate storage
        with tempfile.TemporaryDirectory() as tmpdir:
            for file in source_files:
                # Download from source
                tmp_path = Path(tmpdir) / file.key
                client.files.download(file, str(tmp_path))
                # Upload to destination
                client.files.upload(
                    dest_record,
                    key=file.key,
                    metadata=file.metadata.copy(),
                    source=str(tmp_path),
                    progress=f"Copying {file.key}",
                )
        return len(source_files)

    # Use it
    copied = copy_files_between_records(source_123, dest_456)
    print(f"Copied {copied} files")
    assert capsys.readouterr().out == "Copied 3 files\n"
    assert {key: repository.read(dest_456, key) for key in repository.files(dest_456)} == contents
    # The server checks files that are named .zip, and here adds an error for an invalid one.
    added = {"large-file.zip": {"error": "File is not a zip file"}}
    assert {file.key: file.metadata for file in client.files.list(dest_456)} == {
        key: {"description": f"About {key}", **added.get(key, {})} for key in contents
    }


def test_validate_file_checksums(client: Client, record: Record, capsys: Capture) -> None:
    def validate_file_checksums(record: Record) -> List[Dict[str, Any]]:
        """Download files and verify their checksums."""
        import hashlib
        import tempfile
        from pathlib import Path

        files = client.files.list(record)
        results = []
        with tempfile.TemporaryDirectory() as tmpdir:
            for file in files:
                # Download file
                tmp_path = Path(tmpdir) / file.key
                client.files.download(file, str(tmp_path))
                # Calculate checksum
                hasher = hashlib.md5()
                with open(tmp_path, "rb") as f:
                    for chunk in iter(lambda: f.read(4096), b""):
                        hasher.update(chunk)
                calculated = f"md5:{hasher.hexdigest()}"
                expected = file.checksum
                results.append(
                    {
                        "file": file.key,
                        "valid": calculated == expected,
                        "expected": expected,
                        "calculated": calculated,
                    }
                )
        return results

    # Use it
    validation = validate_file_checksums(record)
    for result in validation:
        status = "✓" if result["valid"] else "✗"
        print(f"{status} {result['file']}: {result['valid']}")
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "✓ data.csv: True",
        "✓ image.jpg: True",
        "✓ large-file.zip: True",
    ]


class TestErrorHandling:
    """Error Handling: one block, and what leads to each of its branches."""

    @pytest.fixture
    def record(self, repository: Any, client: Client) -> Record:
        """A draft without files."""
        return client.records.draft_records.read(repository.create())

    def output_of(self, client: Client, record: Record, root: str, capsys: Capture) -> str:
        """Return the output of the block."""
        from smartxfer.nrp.errors import RepositoryClientError, RepositoryCommunicationError

        try:
            client.files.upload(record, key="data.csv", metadata={}, source=f"{root}/path/to/file.csv")
        except FileNotFoundError:
            print("Source file not found")
        except RepositoryClientError as e:
            print(f"Upload failed: {e}")
        except RepositoryCommunicationError as e:
            print(f"Network error: {e}")
        return capsys.readouterr().out

    def test_all_is_well(
        self, repository: Any, client: Client, record: Record, root: str, local: Local, capsys: Capture
    ) -> None:
        local("/path/to/file.csv", b"1,2")
        assert self.output_of(client, record, root, capsys) == ""
        assert repository.files(record.id) == {"data.csv": 3}

    def test_no_source(
        self, repository: Any, client: Client, record: Record, root: str, capsys: Capture
    ) -> None:
        before = len(repository.requests)
        assert self.output_of(client, record, root, capsys) == "Source file not found\n"
        assert len(repository.requests) == before
        assert repository.entries(record.id) == []

    def test_refused(
        self, repository: Any, client: Client, record: Record, root: str, local: Local, capsys: Capture
    ) -> None:
        local("/path/to/file.csv", b"1,2")
        client.records.draft_records.delete(record)
        assert self.output_of(client, record, root, capsys).startswith("Upload failed: ")

    @pytest.mark.parametrize("effect", ["reset-before", "status 502"])
    def test_network(
        self,
        repository_server: LocalServer,
        repository: Any,
        record: Record,
        root: str,
        local: Local,
        capsys: Capture,
        effect: str,
    ) -> None:
        local("/path/to/file.csv", b"1,2")
        fault = repository_server.fault(
            "nrp", "PUT /api/records/*/draft/files/data.csv/content", effect, times=None
        )
        with get_client(repository.url, retry=RetryPolicy(backoff=0)) as client:
            output = self.output_of(client, record, root, capsys)
        repository_server.clear_faults()
        assert output.startswith("Network error: ")
        assert fault.fired > 1
        assert repository.files(record.id) == {}
