"""The NRP page's blocks that read, change and delete what is said of files; see test_nrp_seed.py."""

from __future__ import annotations

import re
from typing import Any, Dict

import pytest

from smartxfer.nrp import Record
from tests.support.nrp_page import Capture, Client, Contents, md5


class TestReading:
    """Reading File Metadata."""

    def test_info(self, client: Client, record: Record, contents: Contents, capsys: Capture) -> None:
        # Read file metadata without downloading content
        file = client.files.read(record, "data.csv")
        print(f"File key: {file.key}")
        print(f"Size: {file.size}")
        print(f"Checksum: {file.checksum}")
        print(f"MIME type: {file.mimetype}")
        print(f"Metadata: {file.metadata}")
        assert capsys.readouterr().out == (
            f"File key: data.csv\nSize: 19\nChecksum: {md5(contents['data.csv'])}\n"
            "MIME type: text/csv\nMetadata: {'description': 'About data.csv'}\n"
        )

    def test_by_file_url(self, repository: Any, client: Client) -> None:
        abc_123 = repository.create({"data.csv": b"public"}, published=True)
        from yarl import URL

        # Read file info from URL
        file_url = URL(f"{repository.url}/api/records/{abc_123}/files/data.csv")
        file = client.files.read(file_url)
        assert (file.key, file.checksum, file.status) == ("data.csv", md5(b"public"), "completed")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", str(file.updated))

    @pytest.mark.parametrize(
        ("exists", "output"), [(True, "File exists: myfile.pdf\n"), (False, "File does not exist\n")]
    )
    def test_existence(
        self, repository: Any, client: Client, record: Record, capsys: Capture, exists: bool, output: str
    ) -> None:
        if exists:
            repository.write(record.id, "myfile.pdf", b"%PDF")
        # Check if file exists on record
        try:
            file = client.files.read(record, "myfile.pdf")
            print(f"File exists: {file.key}")
        except Exception:  # noqa: BLE001 - as the page has it
            print("File does not exist")
        assert capsys.readouterr().out == output


class TestUpdating:
    """Updating File Metadata."""

    def test_metadata(self, client: Client, record: Record, capsys: Capture) -> None:
        # Read file, update metadata, save
        file = client.files.read(record, "data.csv")
        # Update metadata
        file.metadata["description"] = "Updated description"
        file.metadata["type"] = "dataset"
        file.metadata["processing_date"] = "2024-01-15"
        # Save changes
        updated_file = client.files.update(file)
        print(f"Updated metadata for: {updated_file.key}")
        assert capsys.readouterr().out == "Updated metadata for: data.csv\n"
        expected = {"description": "Updated description", "type": "dataset", "processing_date": "2024-01-15"}
        assert updated_file.metadata == client.files.read(record, "data.csv").metadata == expected

    def test_more_fields(self, client: Client, record: Record) -> None:
        # Add new metadata fields (must be supported by schema on server)
        file = client.files.read(record, "image.jpg")
        file.metadata["photographer"] = "John Doe"
        file.metadata["location"] = "Research Site A"
        file.metadata["date_taken"] = "2024-01-15"
        file.metadata["camera"] = "Canon EOS R5"
        updated = client.files.update(file)
        assert updated.metadata == {
            "description": "About image.jpg",
            "photographer": "John Doe",
            "location": "Research Site A",
            "date_taken": "2024-01-15",
            "camera": "Canon EOS R5",
        }
        assert client.files.read(record, "image.jpg").metadata == updated.metadata

    def test_bulk(self, client: Client, record: Record, capsys: Capture) -> None:
        # Update metadata for multiple files
        def update_all_file_metadata(record: Record, new_metadata: Dict[str, Any]) -> None:
            files = client.files.list(record)
            for file in files:
                # Merge new metadata
                file.metadata.update(new_metadata)
                client.files.update(file)
                print(f"✓ Updated {file.key}")

        # Use it
        update_all_file_metadata(record, {"license": "CC-BY-4.0", "processed": True})
        files = client.files.list(record)
        assert capsys.readouterr().out == "".join(f"✓ Updated {file.key}\n" for file in files)
        assert {file.key: file.metadata for file in files} == {
            key: {"description": f"About {key}", "license": "CC-BY-4.0", "processed": True}
            for key in ("data.csv", "large-file.zip", "image.jpg")
        }


class TestDeleting:
    """Deleting Files."""

    @pytest.fixture
    def record(self, repository: Any, client: Client) -> Record:
        """A draft with the files that the page deletes, and one more."""
        keys = ("unwanted-file.txt", "old-data.csv", "temp.txt", "temp_1.dat", "temp_2.dat", "kept.txt")
        return client.records.draft_records.read(repository.create(dict.fromkeys(keys, b"x")))

    def test_by_record_and_key(
        self, repository: Any, client: Client, record: Record, capsys: Capture
    ) -> None:
        before = repository.files(record.id)
        # Delete a file by key
        client.files.delete(record, key="unwanted-file.txt")
        print("File deleted")
        assert capsys.readouterr().out == "File deleted\n"
        assert set(before) - set(repository.files(record.id)) == {"unwanted-file.txt"}

    def test_using_file_object(self, repository: Any, client: Client, record: Record) -> None:
        before = repository.files(record.id)
        # Delete using file object
        file = client.files.read(record, "old-data.csv")
        client.files.delete(file)
        assert set(before) - set(repository.files(record.id)) == {"old-data.csv"}

    def test_by_file_url(self, repository: Any, client: Client, record: Record) -> None:
        before = repository.files(record.id)
        from yarl import URL

        # Delete using file URL
        file_url = URL(f"{repository.url}/api/records/{record.id}/files/temp.txt")
        client.files.delete(file_url)
        assert set(before) - set(repository.files(record.id)) == {"temp.txt"}

    def test_all_files(self, repository: Any, client: Client, record: Record, capsys: Capture) -> None:
        # Delete all files from a record
        files = client.files.list(record)
        for file in files:
            client.files.delete(file)
            print(f"✓ Deleted {file.key}")
        assert capsys.readouterr().out.count("✓ Deleted ") == len(files) == 6
        assert repository.entries(record.id) == []

    def test_conditional(self, repository: Any, client: Client, record: Record, capsys: Capture) -> None:
        # Delete files matching condition
        files = client.files.list(record)
        for file in files:
            # Delete only temporary files
            if file.key.startswith("temp_"):
                client.files.delete(file)
                print(f"✓ Deleted temporary file: {file.key}")
        assert sorted(capsys.readouterr().out.splitlines()) == [
            "✓ Deleted temporary file: temp_1.dat",
            "✓ Deleted temporary file: temp_2.dat",
        ]
        assert set(repository.files(record.id)) == {
            "unwanted-file.txt",
            "old-data.csv",
            "temp.txt",
            "kept.txt",
        }
