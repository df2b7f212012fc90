"""Files of credentials that cannot be used: what is in them is in no message and no traceback."""

from __future__ import annotations

import getpass
import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Tuple

import pytest

from smartxfer import BasicClient, FileSenderClient, PerseusClient
from smartxfer.credentials import get_config_path
from smartxfer.errors import SmartxferError
from smartxfer.nrp import get_client
from smartxfer.transport import RetryPolicy
from tests.support.secret_scan import check_all

MARK = "MARKED-0123456789abcdef"
URL = "http://127.0.0.1:9"


def _netrc(home: Path, text: str) -> Callable[[], Any]:
    path = _written(home / "named-netrc", text)
    return lambda: BasicClient(url=URL, netrcfile=str(path)).get("path/info")


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def _profile(home: Path, text: str) -> Callable[[], Any]:
    _written(get_config_path(), text)
    return lambda: FileSenderClient(URL, profile="work").transfers.list()


def _nrp(home: Path, text: str) -> Callable[[], Any]:
    path = _written(home / "nrp.json", text)
    return lambda: get_client(URL, config_path=path).whoami()


def _alias(home: Path, text: str) -> Callable[[], Any]:
    path = _written(home / "nrp.json", text)
    return lambda: get_client(alias="unknown", config_path=path).whoami()


def _dotenv(home: Path, text: str) -> Callable[[], Any]:
    _written(Path(".env"), text)
    return lambda: PerseusClient(URL, retry=RetryPolicy(attempts=1)).file.find_files()


ENTRY = {"repositories": [{"alias": "known", "url": URL, "token": MARK}]}
CASES: Dict[str, Tuple[Callable[[Path, str], Callable[[], Any]], str]] = {
    "netrc: unknown word": (_netrc, f"machine 127.0.0.1 login {MARK} password {MARK} nonsense {MARK}"),
    "netrc: not closed": (_netrc, f'machine 127.0.0.1 login {MARK} password "{MARK}'),
    "netrc: no value": (_netrc, f"machine 127.0.0.1 login {MARK} password {MARK}\nmachine x login"),
    "profile: no section": (_profile, f"api_key = {MARK}\n[filesender:work]\n"),
    "profile: twice": (_profile, f"[filesender:work]\napi_key = {MARK}\napi_key = {MARK}2\n"),
    "profile: another": (_profile, f"[filesender]\napi_key = {MARK}\n"),
    "nrp: no json": (_nrp, json.dumps(ENTRY)[:-2]),
    "nrp: a list": (_nrp, json.dumps([ENTRY])),
    "nrp: an object": (_nrp, json.dumps({"repositories": {"a": ENTRY["repositories"][0]}})),
    "nrp: alias": (_alias, json.dumps(ENTRY)),
    "dotenv": (_dotenv, f"PERSEUS_API_KEY={MARK}\nPERSEUS_API_HOST=http://127.0.0.1:9/?{MARK}\n'"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_cannot_be_used(case: str, log: Any, home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Detect a parser's own error, which is the context of ours, with its variables."""
    monkeypatch.chdir(tmp_path)
    make, text = CASES[case]
    step = make(tmp_path, text)
    with pytest.raises(SmartxferError) as caught:
        step()
    check_all([MARK], [caught.value], log.records, [home / "state"])


def test_a_keyring_that_would_ask_in_the_clear(log: Any, home: Path, monkeypatch: Any) -> None:
    """A backend that asks for a password of its own, without a terminal."""

    def ask(service: str, user: str) -> str:
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        return MARK

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=ask))
    monkeypatch.setenv("SMARTFILE_API_KEY", "ann")
    with pytest.raises(SmartxferError, match="GetPassWarning"):
        BasicClient(url=URL).get("path/info")
