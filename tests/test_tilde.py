"""``~``: it never means a whole home directory by accident or a directory named ``~``, and errors are typed."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any, Callable, List

import pytest
from click.testing import CliRunner

from smartxfer import FileSenderClient, PerseusClient
from smartxfer.cli.app import app
from smartxfer.delta.input_file import InputFile
from smartxfer.delta.output_file import OutputFile
from smartxfer.errors import ConfigError, LocalError, LocalNotFound, SmartxferError, UsageError
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client
from smartxfer.nrp.config import resolve_config_path
from smartxfer.nrp.streams import FileSink as NamedSink
from smartxfer.nrp.streams import FileSource as NamedSource
from smartxfer.os_text import resolve_source_path, resolve_target_path
from smartxfer.smartfile import BasicClient, SyncClient
from smartxfer.smartfile.multipart_form import encode_body
from smartxfer.transfer import FileSink
from smartxfer.transfer.local_files import collect_files
from smartxfer.transfer.private_files import state_directory
from smartxfer.transfer.sink import open_sink
from smartxfer.transfer.source import open_source

WORD = "~$report.docx"
ADDRESS = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory next to a home directory with a secret."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text("secret")
    (home / "data.txt").write_text("data")
    monkeypatch.setenv("HOME", str(home))
    made = tmp_path / "work"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No home directory is known."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)


# -- the two functions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_a_path_below_home_is_expanded(kind: Any) -> None:
    for function in (resolve_source_path, resolve_target_path):
        assert function(kind("~/data.txt")) == Path.home() / "data.txt"
        assert function(kind("~/new/data.txt")) == Path.home() / "new" / "data.txt"


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_of_that_very_name_comes_first(kind: Any, work: Path) -> None:
    (work / "~").mkdir()
    (work / "~" / "data.txt").touch()
    for function in (resolve_source_path, resolve_target_path):
        found = function(kind("~/data.txt"))
        assert found == work / "~" / "data.txt"
        assert function(found) == found
        assert function("~/other.txt") == Path.home() / "other.txt"


@pytest.mark.parametrize("name", ["~", WORD, "~root", "~/"])
def test_an_existing_source_is_meant_literally(name: str, work: Path) -> None:
    (work / name).mkdir()
    assert resolve_source_path(name) == work / name
    assert resolve_source_path(Path(name)) == work / name


@pytest.mark.parametrize("name", ["~", WORD, "~root", "~root/x", "~/", "~//", "~/."])
def test_a_missing_source_is_a_typed_error(name: str) -> None:
    with pytest.raises(LocalNotFound) as caught:
        resolve_source_path(name)
    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["~", WORD, "~root", "~root/x", "~no-such-user"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_target_is_refused(name: str, kind: Any, work: Path) -> None:
    for exists in (False, True):
        with pytest.raises(UsageError) as caught:
            resolve_target_path(kind(name))
        assert caught.value.hint
        if not exists and "/" not in name:
            (work / name).touch()


def test_a_target_may_be_home_itself_or_a_name_that_is_said_to_be_here(work: Path) -> None:
    assert resolve_target_path("~/") == Path.home()
    assert resolve_target_path("./~x") == work / "~x" == resolve_target_path(resolve_target_path("./~x"))


@pytest.mark.usefixtures("homeless")
def test_without_a_home() -> None:
    with pytest.raises(LocalNotFound, match="HOME"):
        resolve_source_path("~/data.txt")
    with pytest.raises(UsageError, match="HOME"):
        resolve_target_path("~/data.txt")


# -- every place ---------------------------------------------------------------------------------------------

SOURCES: List[Callable[[Any], Any]] = [
    lambda path: open_source(path),
    lambda path: collect_files([path]),
    lambda path: collect_files([("name", path)]),
    lambda path: InputFile(path, "source"),
    lambda path: NamedSource(path),
    lambda path: encode_body({"file": Path(path)}).__enter__(),
    lambda path: BasicClient("key", "password", url=ADDRESS).upload(path),
    lambda path: BasicClient("key", "password", url=ADDRESS).upload_tree(path),
    lambda path: SyncClient(BasicClient("key", "password", url=ADDRESS)).upload(path, "/x"),
    lambda path: SyncClient(BasicClient("key", "password", url=ADDRESS)).upload_tree(path, "/x"),
    lambda path: PerseusClient(ADDRESS, api_key="key").file.upload_file(path),
    lambda path: PerseusClient(ADDRESS, api_key="key").file.sync_dir(path),
]

TARGETS: List[Callable[[Any], Any]] = [
    lambda path: open_sink(path, "name"),
    lambda path: FileSink(path),
    lambda path: NamedSink(path),
    lambda path: OutputFile(path),
    lambda path: FileSenderClient(ADDRESS).download_archive("x", path),
    lambda path: SyncClient(BasicClient("key", "password", url=ADDRESS)).download(path, "/x"),
    lambda path: SyncClient(BasicClient("key", "password", url=ADDRESS)).download_tree(path, "/x"),
    lambda path: LocalServer(path),
    lambda path: LocalServer(export=path),
]


@pytest.mark.parametrize("name", ["~", WORD, "~no-such-user/x", "~root/x"])
@pytest.mark.parametrize("use", SOURCES)
def test_no_source_is_expanded_to_a_home(use: Callable[[Any], Any], name: str) -> None:
    with pytest.raises((LocalNotFound, UsageError)):
        use(name)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("use", SOURCES)
def test_no_source_without_a_home(use: Callable[[Any], Any]) -> None:
    with pytest.raises((LocalNotFound, UsageError)):
        use("~/data.txt")


@pytest.mark.parametrize("name", ["~", WORD, "~no-such-user/x", "~root/x"])
@pytest.mark.parametrize("use", TARGETS)
def test_no_target_is_named_by_a_tilde(use: Callable[[Any], Any], name: str, work: Path) -> None:
    with pytest.raises(UsageError):
        use(name)
    assert os.listdir(work) == []


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("use", TARGETS)
def test_no_target_without_a_home(use: Callable[[Any], Any], work: Path) -> None:
    with pytest.raises(UsageError):
        use("~/new")
    assert os.listdir(work) == []


@pytest.mark.parametrize("name", ["~", WORD, "~root"])
def test_a_glob_sends_what_is_in_the_directory(name: str, work: Path) -> None:
    (work / name).write_bytes(b"a file")
    (work / "other.txt").write_bytes(b"other")
    for things in (glob.glob("*"), [Path(found) for found in glob.glob("*")]):
        assert sorted(item.name for item in collect_files(things)) == sorted(["other.txt", name])
        assert sum(item.size for item in collect_files(things)) == 11


# -- configuration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["~no-such-user/x", "~", "~/"])
def test_configuration_is_a_config_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for make in (
        lambda: BasicClient(url=ADDRESS, netrcfile=value).explain_credentials(),
        lambda: BasicClient("key", "password", url=ADDRESS, verify=value).get("/ping"),
        lambda: BasicClient("key", "password", url=ADDRESS, cert=value).get("/ping"),
        lambda: BasicClient("key", "password", url=ADDRESS, cert=(value, value)).get("/ping"),
        lambda: get_client(config_path=value),
        lambda: resolve_config_path(value),
    ):
        with pytest.raises(ConfigError):
            make()  # type: ignore[no-untyped-call]


def test_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTXFER_STATE_DIR", "~/state")
    assert state_directory() == Path.home() / "state"
    for value in ("~", "~no-such-user/x"):
        monkeypatch.setenv("SMARTXFER_STATE_DIR", value)
        with pytest.raises(LocalError, match="SMARTXFER_STATE_DIR"):
            state_directory()


# -- the command line ----------------------------------------------------------------------------------------


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    """Run a command without a server; the things that would be sent or the directory that would be written."""
    seen: List[Any] = []

    def called(self: Any, *given: Any, **named: Any) -> None:
        seen.extend(given)
        raise UsageError("stop")

    monkeypatch.setattr(FileSenderClient, "upload_workflow", called)
    monkeypatch.setattr(FileSenderClient, "download_files", called)
    monkeypatch.setenv("FILESENDER_BASE_URL", ADDRESS)
    monkeypatch.setenv("FILESENDER_USERNAME", "ann")
    monkeypatch.setenv("FILESENDER_API_KEY", "key")
    result = CliRunner().invoke(app, list(words))
    return seen, result


def test_send_never_expands(monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
    (work / "~").write_bytes(b"a file")
    (work / WORD).write_bytes(b"a file")
    seen, _ = run(monkeypatch, "send", "~", WORD)
    assert seen[0] == [work / "~", work / WORD]
    seen, result = run(monkeypatch, "send", "~/data.txt")
    assert (seen, result.exit_code) == ([], 2)


@pytest.mark.parametrize("name", ["~", "~/out", "~root/out", WORD])
def test_fetch_never_expands(name: str, monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
    seen, result = run(monkeypatch, "fetch", f"{ADDRESS}/?s=download&token={'0' * 8}-0000", name)
    assert seen == []
    assert result.exit_code == 2 or isinstance(result.exception, SmartxferError)
    assert os.listdir(work) == []


@pytest.mark.parametrize("option", ["--data", "--export"])
def test_serve_never_expands(option: str, work: Path) -> None:
    result = CliRunner().invoke(app, ["serve", option, "~/here"])
    assert result.exit_code != 0
    assert os.listdir(work) == []
    assert not (Path.home() / "here").exists()


# -- what else a target's text says --------------------------------------------------------------------------


def test_a_slash_at_the_end_means_a_directory(work: Path) -> None:
    sink: Any = open_sink(f"{work}/new/", "name")
    assert sink.path == work / "new" / "name"
