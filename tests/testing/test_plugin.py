"""The plug-in, as a user's own test suite has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_CONFTEST = 'pytest_plugins = ["smartxfer.testing.plugin"]\n'

_SUITE = """
import os
import subprocess
import sys

import pytest

from smartxfer import BasicClient, FileSenderClient, JetStreamClient, PerseusClient, RepositoryClient

ADDRESSES = []


def test_files_arrive(filesender, tmp_path):
    client, server = filesender
    fault = server.fault("filesender", "PUT /rest.php/file/*/chunk/*", "reset-after 1K")
    transfer = client.upload_workflow([("a.bin", bytes(5000))], link=True)
    assert fault.fired == 1
    client.download_files(transfer.token, tmp_path / "out")
    assert (tmp_path / "out" / "a.bin").read_bytes() == bytes(5000)
    ADDRESSES.append(server.filesender.url)


def test_the_server_is_the_same(filesender):
    assert ADDRESSES == [filesender.server.filesender.url]


def test_files_are_stored_by_path(smartfile, tmp_path):
    client, server = smartfile
    fault = server.fault("smartfile", "POST /api/2/path/data/*", "reset-after 1K")
    client.upload(("a.bin", bytes(5000)), "/a.bin")
    assert fault.fired == 1
    client.download("/a.bin", tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == bytes(5000) == server.smartfile.read("/a.bin")


def test_files_belong_to_records(nrp, tmp_path):
    client, server = nrp
    draft = server.nrp.create()
    fault = server.fault("nrp", "PUT /api/records/*/draft/files/a.bin/content", "reset-after 1K")
    client.files.upload(draft, "a.bin", {}, bytes(5000))
    assert fault.fired == 1
    client.files.download(draft, "a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == bytes(5000) == server.nrp.read(draft, "a.bin")


def test_files_go_to_another_origin(perseus):
    client, server = perseus
    fault = server.fault("perseus", "PUT /storage/*", "reset-after 1K")
    file = client.file.upload_file(("a.bin", bytes(5000)), wait=True)
    assert fault.fired == 1
    assert server.perseus.content(file.id) == bytes(5000)


def test_one_server_sends_to_another(jetstream):
    api, server = jetstream
    server.jetstream.write("/run1/a.bin", bytes(5000))
    fault = server.fault("jetstream", "POST /jsonrpc/send.createTransfer", "lose-answer")
    api.send_files("/run1", os.environ["JETSTREAM_PEER_HOST"])
    assert fault.fired == 1
    assert len(api.send.getTransfers()) == 1
    assert server.jetstream_peer.read("/run1/a.bin") == bytes(5000)


@pytest.mark.parametrize(("name", "kind", "answers"), [
    ("filesender", FileSenderClient, lambda client: client.get("user/@me")["saml_id"]),
    ("smartfile", BasicClient, lambda client: client.stat("/").isdir),
    ("nrp", RepositoryClient, lambda client: client.whoami().authenticated),
    ("perseus", PerseusClient, lambda client: [file.name for file in client.file.find_files()] == ["a.bin"]),
    ("jetstream", JetStreamClient, lambda client: [entry["name"] for entry in client.ls("/run1")] == ["a.bin"]),
])
def test_the_environment_names_each_service(name, kind, answers, request):
    server = request.getfixturevalue(name).server
    with kind.from_environment() as client:
        assert client.base_url == getattr(server, name).url
        assert answers(client)


def test_child_processes_find_it_too(filesender):
    code = "from smartxfer import FileSenderClient as C; print(C.from_environment().get_server_info().name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip()


def test_state_is_its_own(filesender, tmp_path):
    assert "smartxfer-state" in os.environ["SMARTXFER_STATE_DIR"]
    assert os.listdir(os.environ["SMARTXFER_STATE_DIR"]) == []


@pytest.mark.parametrize("name", ["nrp", "smartfile", "filesender"])
def test_a_fault_that_does_not_fire_fails_the_test(name, request):
    request.getfixturevalue(name).server.fault(name, "GET /nowhere", "reset-before")


def test_faults_end_with_their_test(filesender):
    assert filesender.server.faults == []


@pytest.fixture(scope="session", autouse=True)
def afterwards():
    yield
    names = ["FILESENDER_BASE_URL", "SMARTFILE_API_KEY", "NRP_TOKEN", "PERSEUS_API_KEY", "JETSTREAM_API_HOST"]
    assert not set(names) & set(os.environ)
"""


def test_a_users_suite(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
    (tmp_path / "test_mine.py").write_text(_SUITE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", str(tmp_path)],
        env={**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"},
        cwd=str(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 1, done.stdout + done.stderr
    assert lines[-1].startswith("17 passed, 3 errors"), done.stdout
    errors = [line.partition("::")[2].partition(" ")[0] for line in lines if line.startswith("ERROR ")]
    assert errors == [f"test_a_fault_that_does_not_fire_fails_the_test[{name}]" for name in ("nrp", "smartfile", "filesender")]
    assert "planned faults did not take effect" in done.stdout


def test_the_package_itself_imports_nothing_heavy() -> None:
    heavy = "('pytest', 'responses', 'werkzeug')"
    code = f"import sys, smartxfer.testing; print([n for n in {heavy} if n in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
