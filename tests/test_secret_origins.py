"""Addresses to which a secret is sent: a table of where the secret is, where the address is, and the service.

A server on loopback plays the host that the address in use names, and counts the requests that carry the secret.
A second one plays the host that a place names together with its secret; it must never receive a request.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import logging
import sys
import types
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from smartxfer import FileSenderClient, PerseusClient, RetryPolicy, UserAuth
from smartxfer.credentials import get_config_path
from smartxfer.errors import SmartxferError
from smartxfer.jetstream import JetStream
from smartxfer.nrp import get_client
from smartxfer.smartfile import BasicClient, OAuthClient
from tests.support.raw_server import Peer, RawServer, Request, answering

SECRET = "marked-0123456789abcdef"
USER = "ann"
TOKEN = "hxvmxx9n-2e5u-br7d-4sf5-ypa3-tq55qw43"


#: By service: the names of its values in a profile, and their variables. The first is the address, the second the secret.
SERVICES: Dict[str, Dict[str, str]] = {
    "filesender": {
        "base_url": "FILESENDER_BASE_URL", "api_key": "FILESENDER_API_KEY", "username": "FILESENDER_USERNAME",
    },
    "smartfile": {"base_url": "SMARTFILE_API_URL", "password": "SMARTFILE_API_PASSWORD", "key": "SMARTFILE_API_KEY"},
    "oauth": {
        "base_url": "SMARTFILE_API_URL", "access_secret": "SMARTFILE_ACCESS_SECRET",
        "access_token": "SMARTFILE_ACCESS_TOKEN", "client_token": "SMARTFILE_CLIENT_TOKEN",
        "client_secret": "SMARTFILE_CLIENT_SECRET",
    },
    "nrp": {"base_url": "NRP_REPOSITORY_URL", "token": "NRP_TOKEN"},
    "perseus": {"base_url": "PERSEUS_API_HOST", "api_key": "PERSEUS_API_KEY"},
    "jetstream": {"base_url": "JETSTREAM_API_HOST", "password": "JETSTREAM_API_PASSWORD", "user": "JETSTREAM_API_USER"},
}

# A secret's place: "env" names no address, "env@" the address in use, "env!" that of another host.
# Columns: service, place of the secret, places of the address where the secret arrives | where it does not.
TABLE = """
filesender  arg       arg env own                 | link voucher
filesender  env       arg                         | own profile link voucher
filesender  env@      env arg                     | link
filesender  env!                                  | arg
filesender  own       arg                         | env link
filesender  own@      own                         |
filesender  own!                                  | arg
filesender  profile@  profile                     |
filesender  profile                               | link
filesender  netrc@    arg env                     | link
filesender  netrc!                                | arg
filesender  keyring@  arg                         | link
smartfile   arg       arg env default             |
smartfile   env       arg default                 | profile
smartfile   env@      env                         |
smartfile   env!                                  | arg
smartfile   profile   arg                         | env
smartfile   profile!                              | arg
smartfile   netrc@    default                     |
smartfile   netrc!                                | arg
smartfile   keyring@  env                         |
oauth       env       default                     | profile
oauth       env!                                  | arg
nrp         arg       arg env alias               | page
nrp         env       arg                         | page own
nrp         env@      env page                    |
nrp         env!                                  | arg
nrp         own@      own arg page alias          |
nrp         own!                                  | page
nrp         profile   alias                       | page
nrp         netrc@    page                        |
nrp         keyring@  alias                       |
perseus     arg       arg default                 | dotenv
perseus     env       arg default                 | dotenv
perseus     env@      env                         |
perseus     profile                               | dotenv
perseus     netrc@                                | dotenv
perseus     keyring@                              | dotenv
perseus     dotenv    arg default                 | env
perseus     dotenv@   dotenv                      |
perseus     dotenv!                               | arg
jetstream   arg       arg env port                |
jetstream   env       arg default                 | link connect
jetstream   env@      env connect                 | link
jetstream   env!                                  | arg
jetstream   profile                               | link connect port
jetstream   netrc@    connect                     | link
jetstream   keyring@                              | link
"""
ROWS = [
    (*line.split()[:2], address, arrives)
    for line in TABLE.strip().splitlines()
    for arrives, addresses in zip(("yes", "no"), line[22:].split("|"))
    for address in addresses.split()
]


# -- the servers -----------------------------------------------------------------------------------------


def answer(request: Request, peer: Peer) -> None:
    """Answer whatever a client asks first."""
    if request.path.endswith("/jsonrpc") and request.method == "POST":
        asked = json.loads(request.body)
        result = {"authRequired": True} if asked["method"].endswith("getServerInfo") else None
        body = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        peer.answer(200, json.dumps(body).encode(), "Content-Type: application/json")
    else:
        peer.answer(200, b"{}", "Content-Type: application/json")


def carries(request: Request) -> bool:
    """Return whether the secret is in a request: in clear, in base64, or as the key of a signature."""
    everything = "\n".join([request.target, *request.headers.values(), request.body.decode("latin-1")])
    scheme, _, basic = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        everything += base64.b64decode(basic).decode()
    return SECRET in everything or _signed(request)


def _signed(request: Request) -> bool:
    """Return whether a FileSender request is signed with the secret (FileSender protocol, section 3)."""
    parts = urlsplit(request.target)
    pairs = dict(parse_qsl(parts.query, keep_blank_values=True))
    signature = pairs.pop("signature", None)
    if signature is None:
        return False
    query = "&".join(f"{name}={pairs[name]}" for name in sorted(pairs))
    text = f"{request.method.lower()}&127.0.0.1{unquote(parts.path)}?{query}"
    assert hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).hexdigest() == signature
    return True


class World:
    """The places of one row, filled."""

    def __init__(self, service: str, home: Path, monkeypatch: pytest.MonkeyPatch, url: str, other: str) -> None:
        self.service = service
        self.variables = SERVICES[service]
        _, self.secret, *self.others = self.variables
        self.home, self.monkeypatch = home, monkeypatch
        self.urls = {"@": url, "!": other, "": None}
        self.url = url
        #: place -> our name -> value
        self.places: Dict[str, Dict[str, str]] = {}

    def put(self, secret: str, address: str) -> None:
        """Fill the places of a row."""
        place, mark = secret.rstrip("@!"), secret[len(secret.rstrip("@!")) :]
        if place in ("netrc", "keyring"):
            host = urlsplit(str(self.urls[mark])).netloc
            (self._netrc if place == "netrc" else self._keyring)(host)
        else:
            self._place(place).update(dict.fromkeys(self.others, USER), **{self.secret: SECRET})
            if mark and place != "arg":
                self._place(place)["base_url"] = str(self.urls[mark])
        if address in ("env", "profile", "own", "dotenv"):
            self._place(address)["base_url"] = self.url
        elif address == "alias":
            self._place("own")["base_url"] = self.url
        elif address == "port":
            self._place("env")["base_url"] = "127.0.0.1"
        for name, values in self.places.items():
            if name != "arg":
                getattr(self, f"_{name}")(values)

    def _place(self, name: str) -> Dict[str, str]:
        return self.places.setdefault(name, {})

    def _env(self, values: Mapping[str, str]) -> None:
        for key, value in values.items():
            self.monkeypatch.setenv(self.variables[key], value)

    def _dotenv(self, values: Mapping[str, str]) -> None:
        _written(Path(".env"), "".join(f"{self.variables[key]}={value}\n" for key, value in values.items()))

    def _profile(self, values: Mapping[str, str]) -> None:
        section = "smartfile" if self.service == "oauth" else self.service
        _written(get_config_path(), f"[{section}]\n" + "".join(f"{key} = {values[key]}\n" for key in values))

    def _own(self, values: Mapping[str, str]) -> None:
        if self.service == "nrp":
            entry = {"alias": "it", "url": values["base_url"], "token": values.get("token")}
            config = json.dumps({"default_alias": "it", "repositories": [entry]})
            _written(self.home / ".nrp" / "invenio-config.json", config)
        else:
            system = f"base_url = {values['base_url']}\n" if "base_url" in values else ""
            user = f"username = {USER}\napikey = {SECRET}\n" if "api_key" in values else ""
            text = f"[system]\n{system}[user]\n{user}"
            _written(self.home / ".filesender" / "filesender.py.ini", text)

    def _netrc(self, host: str) -> None:
        _written(self.home / ".netrc", f"machine {host} login {USER} password {SECRET}\n")

    def _keyring(self, host: str) -> None:
        def get_password(service: str, user: str) -> Optional[str]:
            return SECRET if service == f"smartxfer:{host}" else None

        self.monkeypatch.setitem(sys.modules, "keyring", types.SimpleNamespace(get_password=get_password))
        if len(self.others) == 1:  # the keyring is asked for the password of a known user
            self._place("arg" if self.service != "filesender" else "env")[self.others[0]] = USER

    def client(self, address: str) -> Any:
        """The client of a row."""
        given = dict(self.places.get("arg", {}))
        options: Dict[str, Any] = {"retry": RetryPolicy(attempts=1), "timeout": 10}
        url = self.url if address == "arg" else None
        return getattr(self, f"_make_{self.service}")(address, url, given, options)

    def _make_filesender(self, address: str, url: Optional[str], given: Any, options: Any) -> Any:
        links = {"link": f"{self.url}/?s=download&token={TOKEN}", "voucher": f"{self.url}/?s=upload&vid={TOKEN}"}
        url = links.get(address, url)
        if "api_key" in given:
            options["auth"] = UserAuth(given["username"], given["api_key"])
        return FileSenderClient(url, **options)

    def _set_default(self, kind: Any, address: str) -> None:
        if address == "default":
            spec = kind.credential_spec._replace(defaults={"base_url": self.url})
            self.monkeypatch.setattr(kind, "credential_spec", spec)

    def _make_smartfile(self, address: str, url: Optional[str], given: Any, options: Any) -> Any:
        kind = OAuthClient if self.service == "oauth" else BasicClient
        self._set_default(kind, address)
        return kind(url=url, **given, **options)

    _make_oauth = _make_smartfile

    def _make_nrp(self, address: str, url: Optional[str], given: Any, options: Any) -> Any:
        if address == "page":
            url = f"{self.url}/records/abcde-12345"
        return get_client(url, "it" if address == "alias" else None, **given, **options)

    def _make_perseus(self, address: str, url: Optional[str], given: Any, options: Any) -> Any:
        self._set_default(PerseusClient, address)
        return PerseusClient(url, **given, **options)

    def _make_jetstream(self, address: str, url: Optional[str], given: Any, options: Any) -> Any:
        host, port = urlsplit(self.url).hostname, urlsplit(self.url).port
        if address in ("link", "connect"):
            path = f"download?token={TOKEN}" if address == "link" else "connect"
            return JetStream.from_uri(f"jetstream://{host}:{port}/{path}", **given, **options)
        if address == "default":
            self.monkeypatch.setenv("JETSTREAM_API_PORT", str(port))
        return JetStream().api(url, port if address == "port" else None, **given, **options)


def _written(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def use(client: Any, service: str) -> None:
    """Make a request for which the service's client would use an account."""
    if service == "jetstream":
        client.connect()
    elif service == "perseus":
        client.file.find_files(["a"])
    else:
        client.get({"filesender": "transfer", "nrp": "user/records"}.get(service, "path/info"))


@pytest.fixture
def servers() -> Iterator[List[RawServer]]:
    with RawServer(answering(answer)) as one, RawServer(answering(answer)) as other:
        yield [one, other]


@pytest.mark.parametrize(("service", "secret", "address", "arrives"), ROWS, ids=["-".join(row) for row in ROWS])
def test_a_secret_arrives_only_where_it_may(
    service: str, secret: str, address: str, arrives: str, servers: List[RawServer], home: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "keyring", None)
    caplog.set_level(logging.DEBUG)
    world = World(service, home, monkeypatch, servers[0].url, servers[1].url)
    world.put(secret, address)
    with contextlib.suppress(SmartxferError), contextlib.closing(world.client(address)) as client:
        rows = {name: source for name, _, source in client.explain_credentials()}
        use(client, service)
    carried = [request.target for request in servers[0].requests if carries(request)]
    assert bool(carried) == (arrives == "yes"), carried
    assert servers[1].requests == []
    _check_explained(rows[world.secret], secret, arrives, client.base_url)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("smartxfer")]
    assert SECRET not in "".join(ours)


def _check_explained(source: str, secret: str, arrives: str, url: str) -> None:
    """Check that the source names the origin of a value that counts, or says why it does not."""
    if arrives == "yes":
        assert source.endswith(f", for {url}")
    else:
        assert source.startswith("not found")
        # These are asked only for the host in use; of nrp-cmd's file the entry with the address is taken.
        asked = secret != "own!" and not secret.startswith(("netrc", "keyring"))
        assert not asked or ", but " in source
