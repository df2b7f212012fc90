"""The two programs of the FileSender page that this client was modelled on, run as they are read there.

Only what makes them asynchronous is gone, and the example's site, key and token are those of the local server.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator

import pytest

from smartxfer import FileSenderClient, UserAuth
from smartxfer.local import LocalServer

SITE = "https://filesender.aarnet.edu.au"
API_KEY = "kzh1mk1bik1bavgjrggwd6w8u71vyrg5cagevfkt5zv21njodl6hzaiscrok36dtz"
TOKEN = "hxvmxx9n-2e5u-br7d-4sf5-ypa3-tq55qw43"

UPLOAD = """
from smartxfer.filesender import UserAuth, FileSenderClient

def main():
    user_client = FileSenderClient(
        base_url="https://filesender.aarnet.edu.au",
        auth=UserAuth(
            api_key="kzh1mk1bik1bavgjrggwd6w8u71vyrg5cagevfkt5zv21njodl6hzaiscrok36dtz",
            username="me@institute.edu.au"
        )
    )
    user_client.prepare()
    transfer = user_client.upload_workflow(
        files=["my_data.r1.fastq", "my_data.r2.fastq"],
        transfer_args={
            "recipients": ["them@organisation.edu.au"],
            "from": "me@institute.edu.au"
        }
    )

if __name__ == "__main__":
    main()
"""

DOWNLOAD = """
from smartxfer.filesender import UserAuth, FileSenderClient
from pathlib import Path

def main():
    download_client = FileSenderClient(
        base_url="https://filesender.aarnet.edu.au"
    )

    download_client.download_files(
        token="hxvmxx9n-2e5u-br7d-4sf5-ypa3-tq55qw43",
        out_dir=Path("~/Downloads")
    )

if __name__ == "__main__":
    main()
"""

CHUNK = 256 * 1024
SIZES = {"my_data.r1.fastq": 3 * CHUNK + 17, "my_data.r2.fastq": CHUNK + 1}


@pytest.fixture
def server() -> Iterator[LocalServer]:
    options = {"users": {"me@institute.edu.au": API_KEY}, "upload_chunk_size": CHUNK}
    with LocalServer(services=["filesender"], filesender=options) as running:
        yield running
        assert running.filesender.listener.crashes == []


@pytest.fixture
def data(tmp_path: Path) -> Dict[str, bytes]:
    made = {name: os.urandom(size) for name, size in SIZES.items()}
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    return made


def run(program: str, directory: Path, **swap: str) -> None:
    """Run a program of the page in a process of its own, with some of its literals changed."""
    for old, new in ((SITE, swap["site"]), (TOKEN, swap.get("token", TOKEN))):
        assert program.count(old) == (1 if old in program else 0)
        program = program.replace(old, new)
    path = directory / "program.py"
    path.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=str(directory),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_upload_program(server: LocalServer, tmp_path: Path, data: Dict[str, bytes]) -> None:
    site = server.filesender
    run(UPLOAD, tmp_path, site=site.url)

    [transfer] = site.transfers()
    assert transfer["status"] == "available"
    assert transfer["user_email"] == "me@institute.edu.au"
    assert [file["name"] for file in transfer["files"]] == list(SIZES)
    for file in transfer["files"]:
        stored = Path(site.stored(file["id"])).read_bytes()
        assert (len(stored), sha256(stored)) == (SIZES[file["name"]], sha256(data[file["name"]]))
    # The mail with the link goes to the recipient, not to the user of the program.
    assert [(mail["to"], mail["kind"]) for mail in site.mails] == [
        ("them@organisation.edu.au", "transfer_available")
    ]
    # Each call once, each chunk once, and nothing else.
    counted = {
        "GET /rest.php/info": 1,
        "GET /filesender-config.js.php": 1,
        "POST /rest.php/transfer": 1,
        "PUT /rest.php/file/*/chunk/*": 4 + 2,
        "PUT /rest.php/transfer/*": 1,
    }
    assert {match: site.count(match) for match in counted} == counted
    completions = [seen for seen in site.requests if seen.method == "PUT" and "/chunk/" not in seen.path]
    assert len([seen for seen in completions if seen.path.startswith("/rest.php/file/")]) == 2
    assert len(site.requests) == sum(counted.values()) + 2
    assert {seen.status for seen in site.requests} == {200, 201}


def test_the_download_program(
    server: LocalServer, tmp_path: Path, home: Path, data: Dict[str, bytes]
) -> None:
    site = server.filesender
    with FileSenderClient(site.url, auth=UserAuth("me@institute.edu.au", API_KEY)) as sender:
        transfer = sender.upload_workflow(
            [tmp_path / name for name in SIZES], {"recipients": ["them@organisation.edu.au"]}
        )
    assert transfer.token is not None
    site.listener.clear_log()

    run(DOWNLOAD, tmp_path, site=site.url, token=transfer.token)

    downloads = home / "Downloads"
    assert sorted(path.name for path in downloads.iterdir()) == sorted(SIZES)
    for name, content in data.items():
        got = (downloads / name).read_bytes()
        assert (len(got), sha256(got)) == (SIZES[name], sha256(content))
    # The list once, each file once; the client asks nothing else to fetch by a token.
    assert (site.count("GET /"), site.count("GET /download.php")) == (1, 2)
    assert len(site.requests) == 3
    assert {seen.status for seen in site.requests} == {200}
