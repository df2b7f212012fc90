"""The code blocks of the NRP page on files, run as they are read there, without ``async`` and ``await``.

Addresses are the local server's, absolute paths are below a temporary directory, and the modules have our
names; nothing else differs.  test_nrp_seed_entries.py and test_nrp_seed_workflows.py have the rest.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.nrp import File, FileSink, Record, limit_connections
from tests.support.nrp_page import Capture, Client, Contents, Local, md5


def test_overview(repository: Any) -> None:
    from smartxfer.nrp import get_client

    client = get_client(repository.url)
    files_client = client.files
    assert files_client.list(repository.create({"a.txt": b"a"}))[0].key == "a.txt"
    client.close()


class TestListing:
    """Listing Files."""

    def test_on_a_record(self, repository: Any, client: Client, contents: Contents, capsys: Capture) -> None:
        abc_123 = repository.create(contents)
        # List all files on a draft record
        record = client.records.draft_records.read(abc_123)
        files = client.files.list(record)
        for file in files:
            print(f"File: {file.key}")
            print(f" Size: {file.size} bytes")
            print(f" Checksum: {file.checksum}")
            print(f" Metadata: {file.metadata}")
        blocks = capsys.readouterr().out.split("File: ")[1:]
        assert sorted(blocks) == sorted(
            f"{key}\n Size: {len(data)} bytes\n Checksum: {md5(data)}\n Metadata: {{}}\n"
            for key, data in contents.items()
        )

    def test_by_record_url(self, repository: Any, client: Client) -> None:
        abc_123 = repository.create({"data.csv": b"1,2"}, published=True)
        from yarl import URL

        # List files using record URL
        record_url = URL(f"{repository.url}/api/records/{abc_123}")
        files = client.files.list(record_url)
        assert [(file.key, file.size) for file in files] == [("data.csv", 3)]

    def test_properties(
        self, repository: Any, client: Client, record: Record, contents: Contents, capsys: Capture
    ) -> None:
        repository.write(record.id, "bare.txt", b"no description", None)
        files = client.files.list(record)
        for file in files:
            # Basic properties
            print(f"Key: {file.key}")
            print(f"Size: {file.size}")
            print(f"MIME type: {file.mimetype}")
            print(f"Checksum: {file.checksum}")
            # Metadata
            print(f"Description: {file.metadata.get('description', 'N/A')}")
            # Status
            print(f"Status: {file.status}")  # e.g., 'completed'
            # Links
            print(f"Download URL: {file.links.content}")
            print(f"Self URL: {file.links.self_}")
        output = capsys.readouterr().out
        address = f"{repository.url}/api/records/{record.id}/draft/files"
        expected = {**contents, "bare.txt": b"no description"}
        types = {"csv": "text/csv", "zip": "application/zip", "jpg": "image/jpeg", "txt": "text/plain"}
        assert sorted(output.split("Key: ")[1:]) == sorted(
            f"{key}\nSize: {len(data)}\nMIME type: {types[key[-3:]]}\nChecksum: {md5(data)}\n"
            f"Description: {'N/A' if key == 'bare.txt' else f'About {key}'}\nStatus: completed\n"
            f"Download URL: {address}/{key}/content\nSelf URL: {address}/{key}\n"
            for key, data in expected.items()
        )


class TestUploading:
    """Uploading Files."""

    @pytest.fixture
    def record(self, repository: Any, client: Client) -> Record:
        """A draft without files."""
        return client.records.draft_records.read(repository.create())

    def test_from_a_file_path(
        self, repository: Any, client: Client, record: Record, root: str, local: Local, capsys: Capture
    ) -> None:
        local("/path/to/data.csv", b"1,2\n")
        # Upload a file from filesystem
        file = client.files.upload(
            record,
            key="data.csv",
            metadata={"description": "Dataset file"},
            source=f"{root}/path/to/data.csv",
        )
        print(f"Uploaded: {file.key} ({file.size} bytes)")
        assert capsys.readouterr().out == "Uploaded: data.csv (4 bytes)\n"
        assert repository.read(record.id, "data.csv") == b"1,2\n"
        assert file.metadata == {"description": "Dataset file"}
        assert (file.status, file.checksum, file.transfer.type) == ("completed", md5(b"1,2\n"), "L")

    def test_with_progress_bar(
        self,
        repository: Any,
        client: Client,
        record: Record,
        root: str,
        local: Local,
        capsys: Capture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # otherwise no bar is shown
        data = bytes(range(256)) * 1000
        local("/path/to/large-file.zip", data)
        # Upload with progress tracking
        file = client.files.upload(
            record,
            key="large-file.zip",
            metadata={"description": "Large dataset archive"},
            source=f"{root}/path/to/large-file.zip",
            progress="Uploading large file",  # Shows progress bar
        )
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "Uploading large file" in shown.err
        assert "100%" in shown.err
        assert file.checksum == md5(data)
        assert repository.read(record.id, "large-file.zip") == data

    def test_from_path_object(
        self,
        repository: Any,
        client: Client,
        record: Record,
        local: Local,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        local("data/experiment_results.csv", b"results")
        from pathlib import Path

        # Upload using Path
        data_file = Path("data/experiment_results.csv")
        file = client.files.upload(
            record, key=data_file.name, metadata={"description": "Experiment results"}, source=data_file
        )
        assert (file.key, file.size) == ("experiment_results.csv", 7)
        assert repository.read(record.id, "experiment_results.csv") == b"results"

    def test_with_data_stream(
        self, repository: Any, client: Client, record: Record, root: str, local: Local
    ) -> None:
        local("/path/to/file.pdf", b"%PDF-1.7")
        from smartxfer.nrp.streams import FileSource

        # Upload using FileSource for more control
        source = FileSource(f"{root}/path/to/file.pdf")
        file = client.files.upload(
            record, key="document.pdf", metadata={"description": "Research paper"}, source=source
        )
        assert (file.mimetype, file.metadata) == ("application/pdf", {"description": "Research paper"})
        assert repository.read(record.id, "document.pdf") == b"%PDF-1.7"

    def test_from_memory(self, repository: Any, client: Client, record: Record) -> None:
        from smartxfer.nrp.streams import MemorySource

        # Upload from bytes in memory
        data = b"This is my file content"
        source = MemorySource(data)
        file = client.files.upload(
            record, key="textfile.txt", metadata={"description": "Text file"}, source=source
        )
        assert (file.size, file.checksum) == (len(data), md5(data))
        assert repository.read(record.id, "textfile.txt") == data

    def test_multiple_files(
        self, repository: Any, client: Client, record: Record, root: str, local: Local, capsys: Capture
    ) -> None:
        for name in ("data.csv", "analysis.py", "results.pdf"):
            local(f"/path/to/{name}", name.encode())
        # Upload multiple files to a record
        files_to_upload = [
            ("data.csv", f"{root}/path/to/data.csv", "Raw data"),
            ("analysis.py", f"{root}/path/to/analysis.py", "Analysis script"),
            ("results.pdf", f"{root}/path/to/results.pdf", "Results report"),
        ]
        uploaded_files = []
        for key, path, description in files_to_upload:
            file = client.files.upload(
                record,
                key=key,
                metadata={"description": description},
                source=path,
                progress=f"Uploading {key}",
            )
            uploaded_files.append(file)
            print(f"✓ Uploaded {key}")
        assert (
            capsys.readouterr().out == "✓ Uploaded data.csv\n✓ Uploaded analysis.py\n✓ Uploaded results.pdf\n"
        )
        assert [file.metadata["description"] for file in uploaded_files] == [
            "Raw data",
            "Analysis script",
            "Results report",
        ]
        assert repository.files(record.id) == {"data.csv": 8, "analysis.py": 11, "results.pdf": 11}

    def test_with_transfer_type(self, repository: Any) -> None:
        public = repository.create({"data.csv": b"public"}, published=True)
        host = repository.url.partition("//")[2]
        repository.configure(fetch_hosts=(host,))
        draft = repository.create(user="root")
        from smartxfer.nrp import get_client

        with get_client(repository.url, token=repository.superuser_token) as client:
            record = client.records.draft_records.read(draft)
            # Upload via URL fetch (if supported by repository)
            file = client.files.upload(
                record,
                key="remote-data.csv",
                metadata={"description": "Data from URL"},
                source=f"{repository.url}/api/records/{public}/files/data.csv/content",
                transfer_type="url-fetch",
            )
            assert (file.key, file.metadata) == ("remote-data.csv", {"description": "Data from URL"})
            assert client.files.wait_fetch(file, timeout=30).checksum == md5(b"public")
        assert repository.read(draft, "remote-data.csv") == b"public"


class TestDownloading:
    """Downloading Files."""

    @pytest.fixture
    def file(self, client: Client, record: Record) -> File:
        """The page's ``file``, where it comes from the block before."""
        return client.files.read(record, "large-file.zip")

    def test_to_file_path(self, client: Client, record: Record, contents: Contents, root: str) -> None:
        # Download file to local filesystem
        file = client.files.read(record, "data.csv")
        client.files.download(file, f"{root}/path/to/save/data.csv")
        assert Path(f"{root}/path/to/save/data.csv").read_bytes() == contents["data.csv"]

    def test_with_progress_bar(
        self,
        client: Client,
        file: File,
        contents: Contents,
        root: str,
        capsys: Capture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # otherwise no bar is shown
        # Download with progress tracking
        client.files.download(file, f"{root}/path/to/save/large-file.zip", progress="Downloading large file")
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "Downloading large file" in shown.err
        assert Path(f"{root}/path/to/save/large-file.zip").read_bytes() == contents["large-file.zip"]

    def test_using_file_object(self, client: Client, record: Record, contents: Contents, root: str) -> None:
        # Get file info first, then download
        files = client.files.list(record)
        file = files[0]  # Get first file
        client.files.download(file, f"{root}/downloads/{file.key}", progress=f"Downloading {file.key}")
        assert Path(f"{root}/downloads/{file.key}").read_bytes() == contents[file.key]

    def test_using_file_url(self, repository: Any, client: Client, root: str) -> None:
        abc_123 = repository.create({"data.csv": b"public"}, published=True)
        from yarl import URL

        # Download directly from file URL
        file_url = URL(f"{repository.url}/api/records/{abc_123}/files/data.csv")
        client.files.download(file_url, f"{root}/path/to/save/data.csv")
        assert Path(f"{root}/path/to/save/data.csv").read_bytes() == b"public"

    def test_with_data_sink(self, client: Client, file: File, contents: Contents, root: str) -> None:
        from smartxfer.nrp.streams import FileSink

        # Download using FileSink for more control
        sink = FileSink(f"{root}/path/to/output.pdf")
        assert client.files.download(file, sink) is sink
        assert Path(f"{root}/path/to/output.pdf").read_bytes() == contents["large-file.zip"]

    def test_to_memory(self, client: Client, file: File, contents: Contents, capsys: Capture) -> None:
        from smartxfer.nrp.streams import MemorySink

        # Download to memory
        sink = MemorySink()
        client.files.download(file, sink)
        # Access the data
        data = sink.data
        print(f"Downloaded {len(data)} bytes")
        assert capsys.readouterr().out == "Downloaded 102400 bytes\n"
        assert data == contents["large-file.zip"]

    @pytest.mark.parametrize("published", [False, True])
    def test_multiple_files(
        self, repository: Any, client: Client, contents: Contents, root: str, capsys: Capture, published: bool
    ) -> None:
        abc_123 = repository.create(contents, published=published)
        # Download all files from a record (can be draft or published)
        record = client.records.draft_records.read(abc_123)
        files = client.files.list(record)
        for file in files:
            output_path = f"{root}/downloads/{record.id}/{file.key}"
            client.files.download(file, output_path, progress=f"Downloading {file.key}")
            print(f"✓ Downloaded {file.key}")
        assert capsys.readouterr().out == "".join(f"✓ Downloaded {file.key}\n" for file in files)
        saved = {path.name: path.read_bytes() for path in Path(f"{root}/downloads/{abc_123}").iterdir()}
        assert saved == contents

    def test_parallel_with_connection_limiting(
        self, repository: Any, client: Client, root: str, capsys: Capture
    ) -> None:
        def download_files_from_draft_in_parallel(client: Client, files: List[File], output_dir: str) -> None:
            # Limit to 5 concurrent downloads
            with limit_connections(5), ThreadPoolExecutor(max_workers=8) as executor:
                results = executor.map(
                    lambda file_: client.files.download(file_, FileSink(f"{output_dir}/{file_.key}")), files
                )
            for result in results:
                print(f"✓ Downloaded file to: {result}")

        contents = {f"part-{number}.dat": bytes([number]) * 20_000 for number in range(12)}
        files = client.files.list(repository.create(contents))
        download_files_from_draft_in_parallel(client, files, f"{root}/out")
        assert {path.name: path.read_bytes() for path in Path(f"{root}/out").iterdir()} == contents
        assert capsys.readouterr().out.splitlines() == [
            f"✓ Downloaded file to: {root}/out/{file.key}" for file in files
        ]
