"""``smartxfer send`` and ``smartxfer fetch``."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest
from click.testing import CliRunner

from smartxfer import FileSenderClient, UserAuth
from smartxfer.filesender.encryption import is_generated_password
from smartxfer.local import LocalServer
from tests.support.process_signals import until_asleep

PASSWORD = "Correct-horse-7"
UNKNOWN = "00000000-0000-0000-0000-000000000000"
CHUNK = 64 * 1024
FETCH = "GET /download.php"
PATIENCE = 20.0
COMMAND = [sys.executable, "-c", "import sys; from smartxfer.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    options = {"upload_chunk_size": CHUNK, "encryption_iterations": 10}
    with LocalServer(services=["filesender"], filesender=options) as running:
        yield running


@pytest.fixture
def site(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The site, for whose user the environment speaks."""
    for name, value in server.filesender.env.items():
        monkeypatch.setenv(name, value)
    yield server.filesender
    unfired = server.unfired()
    server.clear_faults()
    server.filesender.configure(aup_required=False)
    assert unfired == []


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with files, one of several chunks."""
    room = tmp_path / "run1"
    (room / "raw").mkdir(parents=True)
    (room / "notes.txt").write_bytes(b"ACGT")
    (room / "raw" / "a.bin").write_bytes(os.urandom(3 * CHUNK + 1))
    return room


@pytest.fixture
def published(site: Any) -> Callable[..., str]:
    """``published({"a.txt": b"..."}, password=...)``: the link to it."""

    def publish(things: Dict[str, bytes], **options: Any) -> str:
        with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
            transfer = client.upload_workflow(list(things.items()), link=True, **options)
        return str(transfer.download_url)

    return publish


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def content(room: Path) -> Dict[str, bytes]:
    return {
        path.relative_to(room).as_posix(): path.read_bytes() for path in room.rglob("*") if path.is_file()
    }


def typing_in(text: str, *words: str) -> Any:
    """Run the command and type ``text`` where it asks."""
    from smartxfer.cli.app import app

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        return CliRunner().invoke(app, list(words), input=text, prog_name="smartxfer")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- there and back ----------------------------------------------------------------------------------------


def test_a_link_there_and_back(site: Any, run: Any, files: Path, out: Path) -> None:
    sent = run("send", str(files)).works()
    [link] = sent.out.splitlines()
    assert link.startswith(f"{site.url}/?s=download&token=")
    assert sent.err == ""  # no bar without a terminal
    got = run("fetch", link, str(out)).works()
    assert content(out) == {f"run1/{name}": data for name, data in content(files).items()}
    assert sorted(got.out.splitlines()) == sorted(str(path) for path in out.rglob("*.*"))


def test_recipients_get_a_mail(site: Any, run: Any, files: Path) -> None:
    done = run(
        "send", str(files / "notes.txt"), "--to", "bob@example.net", "--to", "eve@example.net",
        "--subject", "Run 1", "--message", "as promised", "--from", "me@example.org",
    )  # fmt: skip
    assert (done.exit_code, done.out) == (0, "sent to bob@example.net, eve@example.net\n")
    mails = site.mails[-2:]
    assert [mail["to"] for mail in mails] == ["bob@example.net", "eve@example.net"]
    assert {(mail["subject"], mail["message"]) for mail in mails} == {("Run 1", "as promised")}
    assert site.transfers()[-1]["user_email"] == "me@example.org"


def test_fetching_needs_no_account(site: Any, published: Any, run: Any, out: Path, monkeypatch: Any) -> None:
    link = published({"a.txt": b"ACGT"})
    for name in site.env:
        monkeypatch.delenv(name)
    run("fetch", link, str(out)).works()
    assert content(out) == {"a.txt": b"ACGT"}


def test_into_this_directory_and_by_the_token(
    site: Any, published: Any, run: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = published({"a.txt": b"ACGT"}).partition("token=")[2]
    out.mkdir()
    monkeypatch.chdir(out)
    run("fetch", token).works()
    assert content(out) == {"a.txt": b"ACGT"}


# -- existing files ----------------------------------------------------------------------------------------


def test_your_own_files_are_not_replaced_unless_you_say_so(site: Any, published: Any, run: Any, out: Path) -> None:
    link = published({"a.txt": b"theirs", "b.txt": b"new"})
    out.mkdir()
    (out / "a.txt").write_bytes(b"my own notes")
    done = run("fetch", link, str(out))
    assert done.exit_code == 7
    assert "a.txt exists and has other content" in done.err
    assert "hint: pass exists=" in done.err
    assert "--exists" in done.err
    assert content(out) == {"a.txt": b"my own notes", "b.txt": b"new"}
    run("fetch", link, str(out), "--exists", "skip").works()
    assert content(out) == {"a.txt": b"my own notes", "b.txt": b"new"}
    renamed = run("fetch", link, str(out), "--exists", "rename")
    assert renamed.out.splitlines() == [str(out / "a (2).txt"), str(out / "b.txt")]
    run("fetch", link, str(out), "--exists", "replace").works()
    assert content(out) == {"a.txt": b"theirs", "a (2).txt": b"theirs", "b.txt": b"new"}
    run("fetch", link, str(out)).works()
    run("fetch", link, str(out), "--exists", "overwrite").fails(2)


def test_one_existing_file_is_a_local_error(site: Any, published: Any, run: Any, out: Path) -> None:
    link = published({"a.txt": b"theirs"})
    out.mkdir()
    (out / "a.txt").write_bytes(b"my own notes")
    run("fetch", link, str(out)).fails(8, "hint: pass exists=")


def test_hidden_names(site: Any, published: Any, run: Any, out: Path) -> None:
    link = published({".bashrc": b"alias ls=true"})
    assert run("fetch", link, str(out)).out == f"{out / '_bashrc'}\n"
    assert run("fetch", link, str(out), "--hidden").out == f"{out / '.bashrc'}\n"


# -- passwords ---------------------------------------------------------------------------------------------


def test_a_password_that_is_asked_for(site: Any, files: Path, out: Path) -> None:
    sent = typing_in(f"{PASSWORD}\n{PASSWORD}\n", "send", "--encrypt", str(files))
    assert sent.exit_code == 0, sent.output
    assert site.transfers()[-1]["encryption"]
    link = "http" + sent.output.rpartition("http")[2].strip()  # behind the bar, which some releases mix in
    got = typing_in(f"{PASSWORD}\n", "fetch", link, str(out))
    assert got.exit_code == 0, got.output
    assert content(out) == {f"run1/{name}": data for name, data in content(files).items()}
    assert PASSWORD not in sent.output + got.output


def test_a_password_of_the_environment(site: Any, run: Any, files: Path, out: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("SMARTXFER_PASSWORD", PASSWORD)
    sent = run("send", "--encrypt", str(files / "notes.txt")).works()
    got = run("fetch", sent.out.strip(), str(out)).works()
    assert content(out) == {"notes.txt": b"ACGT"}
    assert PASSWORD not in sent.out + sent.err + got.out + got.err


def test_a_generated_password(site: Any, run: Any, files: Path, out: Path, monkeypatch: Any) -> None:
    sent = run("send", "--generate-password", str(files / "notes.txt")).works()
    shown, link = sent.out.splitlines()
    label, _, password = shown.partition(" ")
    assert label == "password:"
    assert is_generated_password(password)
    monkeypatch.setenv("SMARTXFER_PASSWORD", password)
    run("fetch", link, str(out)).works()
    assert content(out) == {"notes.txt": b"ACGT"}


def test_what_is_not_encrypted_asks_for_nothing(
    published: Any, run: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTXFER_PASSWORD", "for something else")
    done = run("fetch", published({"a.txt": b"ACGT"}), str(out)).works()
    assert "assword" not in done.out + done.err


def test_a_wrong_password_writes_nothing(published: Any, run: Any, out: Path, monkeypatch: Any) -> None:
    link = published({"a.txt": b"ACGT"}, password=PASSWORD)
    monkeypatch.setenv("SMARTXFER_PASSWORD", "Wrong-horse-7777")
    done = run("fetch", link, str(out)).fails(6, "with this password", "cannot decrypt")
    assert "Wrong-horse" not in done.out + done.err
    assert not out.exists()


def test_a_weak_password_is_refused_before_anything_is_sent(
    site: Any, run: Any, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = len(site.transfers())
    monkeypatch.setenv("SMARTXFER_PASSWORD", "short")
    run("send", "--encrypt", str(files)).fails(2, "shorter than 12")
    assert len(site.transfers()) == known


def test_no_prompt_without_a_terminal(published: Any, out: Path) -> None:
    """No terminal, and standard input at its end, as in a cron job."""
    link = published({"a.txt": b"ACGT"}, password=PASSWORD)
    done = subprocess.run(
        [*COMMAND, "fetch", link, str(out)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        start_new_session=True, timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "SMARTXFER_PASSWORD" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("words", [["send", "a", "--password", "x"], ["fetch", "a", "--password", "x"]])
def test_no_option_takes_a_password(run: Any, words: Any) -> None:
    run(*words).fails(2, "--password")


# -- what goes wrong ---------------------------------------------------------------------------------------


def test_a_link_to_nothing(site: Any, run: Any, out: Path) -> None:
    run("fetch", f"{site.url}/?s=download&token={UNKNOWN}", str(out)).fails(3)
    assert not out.exists()


def test_what_is_no_link(site: Any, run: Any) -> None:
    run("fetch", f"{site.url}/?s=home").fails(2)
    run("fetch", "no token").fails(2)


def test_no_credentials(site: Any, run: Any, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FILESENDER_API_KEY")
    run("send", str(files)).fails(4, "environment (FILESENDER_API_KEY)")


def test_a_wrong_key(site: Any, run: Any, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILESENDER_API_KEY", "0" * 64)
    run("send", str(files)).fails(4, "hint: check username and api_key")


def test_the_only_file_fails(server: LocalServer, run: Any, published: Any, out: Path) -> None:
    """Its own error, not that of a batch."""
    link = published({"a.txt": b"ACGT"})
    server.fault("filesender", FETCH, "status 404")
    run("fetch", link, str(out)).fails(3)
    assert content(out) == {}


def test_one_of_several_fails(server: LocalServer, run: Any, published: Any, out: Path) -> None:
    link = published({"a.txt": b"1", "b.txt": b"2", "c.txt": b"3"})
    server.fault("filesender", FETCH, "status 404", after=1)
    done = run("fetch", link, str(out)).fails(7)
    assert done.err.startswith("b.txt: ")
    assert content(out) == {"a.txt": b"1", "c.txt": b"3"}


def test_terms_of_use(site: Any, run: Any, files: Path) -> None:
    site.configure(aup_required=True)
    run("send", str(files / "notes.txt")).fails(1, "terms of use")
    run("send", "--accept-aup", str(files / "notes.txt")).works()


def test_wrong_usage_of_send_and_fetch(run: Any) -> None:
    run("send").fails(2)
    run("send", "/no/such/file").fails(2)
    run("fetch").fails(2)


# -- Ctrl-C ------------------------------------------------------------------------------------------------


def test_ctrl_c_and_the_same_command_again(
    server: LocalServer, published: Any, launch: Any, run: Any, out: Path
) -> None:
    data = os.urandom(3 * CHUNK + 1)
    link = published({"a.bin": data})
    fault = server.fault("filesender", FETCH, "no-answer")
    running = launch("fetch", link, str(out))
    ends_at = time.monotonic() + PATIENCE
    while not fault.fired:
        assert time.monotonic() < ends_at, running.finish()
        time.sleep(0.01)
    code, seconds, said = running.stop(signal.SIGINT)
    assert code == 130, said
    assert "smartxfer: interrupted" in said
    assert "Traceback" not in said
    assert seconds < 4
    assert content(out).get("a.bin") is None
    run("fetch", link, str(out)).works()
    assert content(out) == {"a.bin": data}


def at_a_terminal(*words: str) -> Any:
    """The command at a terminal of its own; the process, and the terminal's other end."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        # The terminal that Ctrl-C comes from; nothing else runs in the child before it.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )
    os.close(theirs)
    return process, ours


def read_until(terminal: int, text: str) -> str:
    """Return the output of the terminal up to ``text``."""
    shown, ends_at = "", time.monotonic() + PATIENCE
    while text not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, ends_at - time.monotonic()))
        assert ready, f"no {text!r} in {shown!r}"
        shown += os.read(terminal, 4096).decode("utf-8")
    return shown


def test_ctrl_c_where_the_password_is_asked_for(published: Any, out: Path) -> None:
    process, terminal = at_a_terminal("fetch", published({"a.txt": b"ACGT"}, password=PASSWORD), str(out))
    try:
        read_until(terminal, "Password of the files:")
        until_asleep(process)
        os.write(terminal, b"half\x03")
        shown = read_until(terminal, "interrupted")
        assert process.wait(PATIENCE) == 130
        assert "half" not in shown
        assert not out.exists()
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
