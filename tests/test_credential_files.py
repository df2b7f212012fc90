"""Files of credentials that are damaged, odd, huge, or open to others: a warning that names the file and the line."""

from __future__ import annotations

import json
import netrc as standard
import os
import stat
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer import PerseusClient
from smartxfer.credentials import get_config_path
from smartxfer.credentials.secret_files import (
    MAX_FILE_BYTES,
    SecretFile,
    UnreadableFile,
    parse_netrc,
    read_secret_file,
)
from smartxfer.errors import ConfigError
from smartxfer.nrp import get_client
from smartxfer.perseus.client import _MAX_DOTENV_BYTES
from tests.support import credential_services
from tests.support.credential_services import SERVICES, URL, USERS, warnings_of
from tests.support.stopwatch import Stopwatch

posix = pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX systems")

KEY = "marked-0123456789abcdef"
#: Seconds that no damaged file may take.
BOUND = 5.0

def _netrc(home: Path) -> Path:
    return home / ".netrc"


#: Every kind of file: a service that reads it, where it is, and content with the key in its last line.
FILES: Dict[str, Tuple[str, Callable[[Path], Path], str]] = {
    "netrc": ("jetstream", _netrc, f"# ours\n\nmachine 127.0.0.1\nlogin ann\npassword {KEY}\n"),
    "netrc-token": ("nrp", _netrc, f"machine 127.0.0.1 login any password {KEY}\n"),
    "config.ini": ("smartfile", lambda home: get_config_path(), f"[smartfile]\nkey = ann\npassword = {KEY}\n"),
    "filesender.py.ini": (
        "filesender",
        lambda home: home / ".filesender" / "filesender.py.ini",
        f"[system]\nbase_url = {URL}\n[user]\nusername = ann\napikey = {KEY}\n",
    ),
    "invenio-config.json": (
        "nrp",
        lambda home: home / ".nrp" / "invenio-config.json",
        json.dumps({"repositories": [{"alias": "a", "url": URL, "token": KEY}]}, indent=1),
    ),
    ".env": ("perseus", lambda home: Path(".env"), f"OTHER=1\nPERSEUS_API_KEY={KEY}\n"),
}
EACH = pytest.mark.parametrize("kind", FILES)


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, no keyring, and the users' names in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "keyring", None)
    for name in USERS:
        monkeypatch.setenv(name, "ann")


def path_of(kind: str, home: Path) -> Path:
    path = FILES[kind][1](home)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def secret_of(kind: str, bound: float = BOUND) -> Optional[str]:
    """Return the secret that the service's client finds, within some seconds."""
    watch = Stopwatch()
    found, _ = credential_services.secret_of(FILES[kind][0])
    assert watch.seconds() < bound
    return found


def private(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


# -- what is read ----------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_a_good_file(kind: str, mark: bytes, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fails for netrc and .env with a byte order mark, if it is taken for a part of the first word."""
    private(path_of(kind, home), mark + FILES[kind][2].encode())
    assert secret_of(kind) == KEY
    assert warnings_of(caplog) == []


@posix
@EACH
def test_a_symbolic_link_to_a_file(kind: str, home: Path, tmp_path: Path) -> None:
    private(tmp_path / "real", FILES[kind][2].encode())
    path_of(kind, home).symlink_to(tmp_path / "real")
    assert secret_of(kind) == KEY


def _huge(path: Path, good: bytes) -> None:
    with path.open("wb") as file:
        file.write(good)
        file.truncate(40 << 20)


def largest_of(kind: str) -> int:
    """Bytes of the largest file of a kind that is read."""
    return _MAX_DOTENV_BYTES if kind == ".env" else MAX_FILE_BYTES


#: What makes a damaged file of a good one, and what the warning says.
DAMAGE: Dict[str, Tuple[Callable[[Path, bytes], None], str]] = {
    "fifo": (lambda path, good: os.mkfifo(path, 0o600), "it is a named pipe, not a regular file"),
    "zeros": (lambda path, good: path.symlink_to("/dev/zero"), "it is a device, not a regular file"),
    "directory": (lambda path, good: path.mkdir(), "it is a directory, not a regular file"),
    "huge": (_huge, "it is larger than {largest} bytes"),
    "long": (lambda path, good: private(path, good + b"# padding\n" * (4 << 20)), "it is larger than {largest} bytes"),
    "binary": (lambda path, good: private(path, good + bytes(range(256)) * 8), "it is a binary file"),
    "utf16": (
        lambda path, good: private(path, good.decode().encode("utf-16")), "it is in UTF-16: save it as UTF-8",
    ),
    "latin1": (lambda path, good: private(path, b"\n\n# caf\xe9\n" + good), "line 3: not UTF-8"),
}


@posix
@EACH
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file(kind: str, damage: str, home: Path, monkeypatch: Any, caplog: Any) -> None:
    """Fails if it hangs, fills the memory, raises, or hides the value of another place."""
    path = path_of(kind, home)
    make, why = DAMAGE[damage]
    make(path, FILES[kind][2].encode())
    assert secret_of(kind) is None
    if (kind, damage) == (".env", "directory"):
        assert warnings_of(caplog) == []  # virtual environments have that name
    else:
        [said] = warnings_of(caplog)
        assert path.name in said
        assert why.format(largest=largest_of(kind)) in said
        assert KEY not in said
    monkeypatch.setenv(SERVICES[FILES[kind][0]][1], "from-environment")
    assert secret_of(kind) == "from-environment"


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("netrc", f"machine 127.0.0.1\nlogin ann\npasswort {KEY}\n", "line 3: an unknown word"),
        ("netrc", f"\n{KEY}\n", "line 2: an unknown word"),
        ("netrc", f'machine a\nlogin "ann\npassword {KEY}\n', "line 2: a quotation mark is not closed"),
        ("netrc", "machine 127.0.0.1\nlogin ann\npassword\n", "line 3: the last word has no value"),
        ("config.ini", f"[smartfile]\nkey = ann\n{KEY}\n", "line 3: ParsingError"),
        ("config.ini", f"password = {KEY}\n", "line 1: MissingSectionHeaderError"),
        ("config.ini", f"[smartfile]\npassword = {KEY}\npassword = {KEY}\n", "line 3: DuplicateOptionError"),
        ("filesender.py.ini", f"[user]\n[user]\napikey = {KEY}\n", "line 2: DuplicateSectionError"),
        ("invenio-config.json", f'{{"repositories": [\n{{"token": "{KEY}",\n]}}', "line 3 is not JSON"),
        ("invenio-config.json", "[" * 100_000, "nested too deeply"),
        ("invenio-config.json", '"text"', "is not a configuration of nrp-cmd"),
    ],
)
def test_a_malformed_file(kind: str, text: str, why: str, home: Path, caplog: Any) -> None:
    path = path_of(kind, home)
    private(path, text.encode())
    assert secret_of(kind) is None
    [said] = warnings_of(caplog)
    assert path.name in said
    assert why in said
    assert KEY not in said


def test_a_malformed_line_of_dotenv(caplog: pytest.LogCaptureFixture) -> None:
    """The other lines are used, and only the package's warning names the line."""
    private(Path(".env"), f"A=1\nno name here {KEY[:6]}\nPERSEUS_API_KEY={KEY}\n".encode())
    assert secret_of(".env") == KEY
    assert warnings_of(caplog) == ["credentials: line 2 of .env is ignored: not NAME=value"]


@posix
def test_a_named_file_that_is_a_pipe_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for make in (
        lambda: PerseusClient(URL, netrcfile=str(tmp_path / "pipe")),
        lambda: get_client(URL, config_path=tmp_path / "pipe"),
    ):
        with make() as client, pytest.raises(ConfigError, match="named pipe"):
            client.explain_credentials()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("netrc", b"macdef x\ny\n\n"), ("netrc", b"machine x login y\n"), ("config.ini", b"; padding\n"),
        ("filesender.py.ini", b"; padding\n"), ("invenio-config.json", b"         \n"),
        (".env", b"# 'it is\n"), (".env", b"A='\n"),
    ],
)
def test_the_largest_file_is_read_in_time(kind: str, line: bytes, home: Path) -> None:
    """Fails if a parser takes quadratic time for what is just small enough: that would be minutes."""
    good = FILES[kind][2].encode()
    private(path_of(kind, home), line * ((largest_of(kind) - len(good)) // len(line) // 2 * 2) + good)
    assert secret_of(kind, bound=30) == KEY


# -- who may read it -------------------------------------------------------------------------------------


@posix
@EACH
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o602, 0o644, 0o666])
def test_a_file_that_others_may_access(kind: str, mode: int, home: Path, caplog: Any) -> None:
    """One warning per file, however many clients are made, and the value is used."""
    path = path_of(kind, home)
    private(path, FILES[kind][2].encode())
    path.chmod(mode)
    assert [secret_of(kind), secret_of(kind)] == [KEY, KEY]
    [said] = warnings_of(caplog)
    assert path.name in said
    assert f"mode {mode:04o}" in said
    assert f"chmod 600 {path}" in said
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("netrc", f"machine other.example login ann password {KEY}\n"),
        ("config.ini", f"[smartfile]\nbase_url = {URL}\n"),
        ("filesender.py.ini", f"[system]\nbase_url = {URL}\n"),
        ("invenio-config.json", json.dumps({"repositories": [{"alias": "a", "url": URL}]})),
        (".env", f"PERSEUS_API_HOST={URL}\n"),
    ],
)
def test_a_file_without_a_secret_of_ours_may_be_read_by_others(
    kind: str, text: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = path_of(kind, home)
    private(path, text.encode())
    path.chmod(0o644)
    assert secret_of(kind) is None
    assert warnings_of(caplog) == []


# -- netrc: the standard library is the second witness ----------------------------------------------------

WORDS = st.text(st.sampled_from("abz09.-_:/@$é#"), min_size=1, max_size=8).filter(
    lambda word: not word.startswith("#")
)
QUOTED = st.text(st.sampled_from("ab #"), min_size=1, max_size=6).map(lambda text: f'"{text}"')
VALUES = st.one_of(WORDS, QUOTED)
BLANKS = st.sampled_from([" ", "\n", "\t", "  \n "])
ENTRIES = st.tuples(
    st.sampled_from(["machine one", "machine two.example", "machine Three:80", "default"]),
    st.lists(st.tuples(st.sampled_from(["login", "account", "password"]), VALUES), max_size=3),
    # No comments: the standard library takes the words of some for keys.
    st.sampled_from(["", "\nmacdef init\nput a b\nmachine x\n\n"]),
)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="older ones read quotation marks in another way")
@given(st.lists(ENTRIES, max_size=4), BLANKS)
def test_netrc_is_read_as_the_standard_library_reads_it(
    tmp_path_factory: pytest.TempPathFactory, entries: List[Any], blank: str
) -> None:
    text = ""
    for head, pairs, tail in entries:
        words = [*head.split(), *(word for pair in pairs for word in pair)]
        text += blank.join(words) + "\n" + tail
    path = tmp_path_factory.mktemp("netrc") / "netrc"
    path.write_text(text, encoding="utf-8")
    theirs = {
        host.lower(): (login or account, password)
        for host, (login, account, password) in standard.netrc(str(path)).hosts.items()
        if host != "default"
    }
    assert parse_netrc(read_secret_file(path)) == theirs


def test_comments_of_netrc(home: Path) -> None:
    text = f"# machine 127.0.0.1\n#\nmachine 127.0.0.1 # login bob\n\n  #login bob\nlogin ann password #{KEY}\n#end\n"
    private(home / ".netrc", text.encode())
    assert secret_of("netrc") == f"#{KEY}"


@given(st.text(st.sampled_from('machine login password default macdef"\\# \n\tx'), max_size=60))
def test_any_text_is_a_netrc_or_unreadable(text: str) -> None:
    file = SecretFile(Path("netrc"), text, os.stat("."))
    try:
        found = parse_netrc(file)
    except UnreadableFile as error:
        assert str(error).startswith("line ")
    else:
        assert all(host == host.lower() for host in found)
