"""Names with letters that the locale cannot encode: under LC_ALL=POSIX and under Latin-1, in every service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer import FileSenderClient, UserAuth
from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from smartxfer.os_text import decode_os_text, encode_os_path, resolve_source_path, resolve_target_path
from smartxfer.transfer.name_rules import NameRules
from smartxfer.transfer.safe_paths import safe_path, unique_paths

MAC = NameRules(windows=False, case_insensitive=True)

NAME = "\u00e9t\u00e9 \u4f60.txt"
DATA = b"some bytes of a file\n" * 50
#: What makes Python decode file names, variables and arguments as ASCII.
POSIX = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

_PROGRAM = r"""
import json, logging, pathlib, sys
logging.basicConfig(level=logging.DEBUG)
service, source, out = sys.argv[1:]
source, out = pathlib.Path(source), pathlib.Path(out)
name, folder = source.name, source.parent
seen = []
events = lambda event: seen.append(event.name)
if service == "filesender":
    from smartxfer import FileSenderClient
    with FileSenderClient.from_environment() as client:
        sent = client.upload_workflow([source, folder], link=True, progress=events)
        names = [file.name for file in sent.files]
        paths = [result.path for result in client.download_files(sent.token, out, progress=events)]
elif service == "smartfile":
    from smartxfer.smartfile import BasicClient, SyncClient
    with BasicClient() as client:
        names = [result.name for result in client.upload_tree(folder, "/up", progress=events)]
        paths = [result.path for result in client.download_tree("/up", out, progress=events)]
        names.append(client.upload(source, "/", progress=events).name)
        paths.append(client.download("/" + names[-1].strip("/"), out, progress=events).path)
        sync = SyncClient(client)
        sync.upload(source, "/" + names[-1].strip("/"))
        sync.download(out, "/" + names[-1].strip("/"))
        sync.download_tree(out / "again", "/up")
elif service == "nrp":
    from smartxfer.nrp import get_client
    with get_client() as client:
        record = client.records.create({"metadata": {"title": "Reads"}, "files": {"enabled": True}})
        client.files.upload_many(record, [source], progress=events)
        names = [file.key for file in client.files.list(record)]
        paths = [result.path for result in client.files.download_many(record, out, progress=events)]
        [file] = client.files.list(record)
        paths.append(client.files.download(file, out / "\u00fc.bin", progress=events))
elif service == "perseus":
    from smartxfer import PerseusClient
    with PerseusClient() as client:
        names, paths = [client.file.upload_file(source).name], [source]
else:
    from smartxfer.jetstream import JetStream
    import os
    with JetStream().api() as api:
        api.send_files(["/" + name], os.environ["JETSTREAM_PEER_HOST"], timeout=30, progress=events)
        names, paths = [entry["name"] for entry in api.ls("/")], [source]
print(json.dumps({"names": names, "seen": seen, "paths": [bytes(path).hex() for path in paths]}))
"""

@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "folder \u00f6"
    folder.mkdir()
    path = folder / NAME
    path.write_bytes(DATA)
    return path


def environment(server: LocalServer) -> Dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    for service in server.services.values():
        kept.update(service.env)
    return {**kept, **POSIX, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def files_below(directory: Path) -> List[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize("service", ["filesender", "smartfile", "nrp", "perseus", "jetstream"])
def test_a_program_under_posix(server: LocalServer, source: Path, tmp_path: Path, service: str) -> None:
    """Detect UnicodeEncodeError where a file is opened, and half characters that are sent as names."""
    out = tmp_path / "out"
    server.jetstream.write(f"/{NAME}", DATA)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, service, os.fsencode(source), str(out)],
        env=environment(server), capture_output=True, encoding="utf-8", timeout=60,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {name.rpartition("/")[2] for name in report["names"]} >= {NAME}
    assert {name.rpartition("/")[2] for name in report["seen"] if name.endswith("txt")} <= {NAME}
    for path in map(bytes.fromhex, report["paths"]):
        assert Path(os.fsdecode(path)).read_bytes() == DATA
    expected = {
        "filesender": [NAME, f"folder \u00f6/{NAME}"], "smartfile": [f"again/{NAME}", NAME],
        "nrp": [NAME, "\u00fc.bin"],
    }.get(service, [])
    assert files_below(out) == sorted(expected)
    if service == "jetstream":
        assert server.jetstream_peer.read(f"/{NAME}") == DATA


def _command(server: LocalServer, *words: Any, **more: str) -> Any:
    code = "import sys; from smartxfer.cli.app import run; sys.exit(run())"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, env={**environment(server), **more}, capture_output=True, timeout=60)


@pytest.mark.parametrize("locale", [{}, {"PYTHONIOENCODING": "latin-1"}], ids=["POSIX", "latin-1"])
def test_the_command(server: LocalServer, source: Path, tmp_path: Path, locale: Dict[str, str]) -> None:
    """The path is printed as the bytes that the file is called by; subject and password arrive as typed."""
    pytest.importorskip("cryptography")
    password = {"SMARTXFER_PASSWORD": "A long p\u00e4ssw\u00f6rd, 1 \u4f60"}
    words = ["send", "--encrypt", "--subject", "\u00e9".encode(), os.fsencode(source)]
    server.filesender.configure(encryption_iterations=10)
    sent = _command(server, *words, **password, **locale)
    assert sent.returncode == 0, sent.stderr
    assert server.filesender.transfers()[-1]["subject"] == "\u00e9"
    link, out = sent.stdout.decode().strip(), tmp_path / "out"
    fetched = _command(server, "fetch", link, str(out), **password, **locale)
    assert fetched.returncode == 0, fetched.stderr
    assert fetched.stdout == os.fsencode(out / NAME) + b"\n"
    assert (out / NAME).read_bytes() == DATA


def test_the_command_without_a_home(server: LocalServer, tmp_path: Path) -> None:
    """No HOME and no entry in the password database: nothing is resumed, and everything is fetched."""
    site = server.filesender
    with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
        link = client.upload_workflow([(NAME, DATA)], link=True).download_url
    code = (
        "import pwd, sys\n"
        "def unknown(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = unknown\n"
        "from smartxfer.cli.app import run; sys.exit(run())"
    )
    kept = environment(server)
    for name in ("HOME", "SMARTXFER_STATE_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        kept.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", code, "fetch", link, "out"], env=kept, cwd=str(tmp_path), capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert b"no home directory" in done.stderr
    assert b"SMARTXFER_STATE_DIR" in done.stderr
    assert (tmp_path / "out" / NAME).read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# -- the functions ---------------------------------------------------------------------------------------


@pytest.fixture(params=["ascii", "latin-1", "utf-8"])
def encoding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The locale's encoding, as ``os.fsencode`` and ``os.fsdecode`` know it."""
    name: str = request.param
    monkeypatch.setattr(os, "fsencode", lambda text: os.fspath(text).encode(name, "surrogateescape"))
    monkeypatch.setattr(os, "fsdecode", lambda data: data if isinstance(data, str) else data.decode(name, "surrogateescape"))
    return name


def test_a_path_becomes_bytes(encoding: str) -> None:
    raw = os.fsencode(encode_os_path(NAME))
    assert raw == NAME.encode("utf-8")
    there = os.fsdecode(b"caf\xc3\xa9")
    assert os.fsencode(encode_os_path(f"{there}/plain")) == b"caf\xc3\xa9/plain"
    if encoding == "ascii":
        assert os.fsencode(encode_os_path(f"{there}/\u00e9")) == b"caf\xc3\xa9/\xc3\xa9"
    # What the locale has is what its other programs make of it.
    assert os.fsencode(encode_os_path("\u00e9")) == "\u00e9".encode("latin-1" if encoding == "latin-1" else "utf-8")


def test_bytes_become_text(encoding: str) -> None:
    if encoding != "latin-1":
        assert decode_os_text(os.fsdecode(NAME.encode("utf-8"))) == NAME
        assert decode_os_text(os.fsdecode(b"\xff")) == "\udcff"
    assert decode_os_text("plain \u00e9") == "plain \u00e9"


def test_names_are_compared_by_their_characters(encoding: str) -> None:
    found = [os.fsencode(str(path)) for path in unique_paths(["\u4f60\u00c9.txt", "\u4f60\u00e9.txt"], rules=MAC)]
    assert found == [b"\xe4\xbd\xa0\xc3\x89.txt", b"\xe4\xbd\xa0\xc3\xa9 (2).txt"]
    assert os.fsencode(str(safe_path("../\u4f60"))) == b"\xe4\xbd\xa0"


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_what_cannot_be_a_path(path: str) -> None:
    for function in (encode_os_path, resolve_source_path, resolve_target_path):
        with pytest.raises(UsageError):
            function(path)
