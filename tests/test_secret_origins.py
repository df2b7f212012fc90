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
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple
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


class Service(NamedTuple):
    """The names of a service's values.

    :param variables: of address, secret, and whatever belongs to the secret.
    :param keys: the same in a profile.
    """

    variables: Tuple[str, ...]
    keys: Tuple[str, ...]
    secret: str


SERVICES = {
    "filesender": Service(
        ("FILESENDER_BASE_URL", "FILESENDER_API_KEY", "FILESENDER_USERNAME"),
        ("base_url", "api_key", "username"),
        "api_key",
    ),
    "smartfile": Service(
        ("SMARTFILE_API_URL", "SMARTFILE_API_PASSWORD", "SMARTFILE_API_KEY"),
        ("base_url", "password", "key"),
        "password",
    ),
    "oauth": Service(
        (
            "SMARTFILE_API_URL", "SMARTFILE_ACCESS_SECRET", "SMARTFILE_ACCESS_TOKEN",
            "SMARTFILE_CLIENT_TOKEN", "SMARTFILE_CLIENT_SECRET",
        ),
        ("base_url", "access_secret", "access_token", "client_token", "client_secret"),
        "access_secret",
    ),
    "nrp": Service(("NRP_REPOSITORY_URL", "NRP_TOKEN"), ("base_url", "token"), "token"),
    "perseus": Service(("PERSEUS_API_HOST", "PERSEUS_API_KEY"), ("base_url", "api_key"), "api_key"),
    "jetstream": Service(
        ("JETSTREAM_API_HOST", "JETSTREAM_API_PASSWORD", "JETSTREAM_API_USER"),
        ("base_url", "password", "user"),
        "password",
    ),
}

# A secret's place: "env" names no address, "env@" the address in use, "env!" that of another host.
# Columns: service, place of the secret, place of the address, whether the secret arrives there.
TABLE = """
filesender  arg       arg       yes
filesender  arg       env       yes
filesender  arg       own       yes
filesender  arg       link      no
filesender  arg       voucher   no
filesender  env       arg       yes
filesender  env@      env       yes
filesender  env@      arg       yes
filesender  env!      arg       no
filesender  env       own       no
filesender  env       profile   no
filesender  env       link      no
filesender  env@      link      no
filesender  env       voucher   no
filesender  own       arg       yes
filesender  own@      own       yes
filesender  own!      arg       no
filesender  own       env       no
filesender  own       link      no
filesender  profile@  profile   yes
filesender  profile   link      no
filesender  netrc@    arg       yes
filesender  netrc@    env       yes
filesender  netrc@    link      no
filesender  netrc!    arg       no
filesender  keyring@  arg       yes
filesender  keyring@  link      no
smartfile   arg       arg       yes
smartfile   arg       env       yes
smartfile   arg       default   yes
smartfile   env       arg       yes
smartfile   env       default   yes
smartfile   env@      env       yes
smartfile   env!      arg       no
smartfile   env       profile   no
smartfile   profile   arg       yes
smartfile   profile   env       no
smartfile   profile!  arg       no
smartfile   netrc@    default   yes
smartfile   netrc!    arg       no
smartfile   keyring@  env       yes
oauth       env       default   yes
oauth       env       profile   no
oauth       env!      arg       no
nrp         arg       arg       yes
nrp         arg       env       yes
nrp         arg       alias     yes
nrp         arg       page      no
nrp         env       arg       yes
nrp         env@      env       yes
nrp         env@      page      yes
nrp         env       page      no
nrp         env       own       no
nrp         env!      arg       no
nrp         own@      own       yes
nrp         own@      arg       yes
nrp         own@      page      yes
nrp         own@      alias     yes
nrp         own!      page      no
nrp         profile   page      no
nrp         profile   alias     yes
nrp         netrc@    page      yes
nrp         keyring@  alias     yes
perseus     arg       arg       yes
perseus     arg       default   yes
perseus     arg       dotenv    no
perseus     env       arg       yes
perseus     env       default   yes
perseus     env@      env       yes
perseus     env       dotenv    no
perseus     profile   dotenv    no
perseus     netrc@    dotenv    no
perseus     keyring@  dotenv    no
perseus     dotenv    arg       yes
perseus     dotenv    default   yes
perseus     dotenv    env       no
perseus     dotenv@   dotenv    yes
perseus     dotenv!   arg       no
jetstream   arg       arg       yes
jetstream   arg       env       yes
jetstream   arg       port      yes
jetstream   env       arg       yes
jetstream   env@      env       yes
jetstream   env!      arg       no
jetstream   env       default   yes
jetstream   env       link      no
jetstream   env@      link      no
jetstream   env       connect   no
jetstream   env@      connect   yes
jetstream   profile   link      no
jetstream   profile   connect   no
jetstream   profile   port      no
jetstream   netrc@    connect   yes
jetstream   netrc@    link      no
jetstream   keyring@  link      no
"""
ROWS = [tuple(line.split()) for line in TABLE.strip().splitlines()]


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
        self.names = SERVICES[service]
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
            self._place(place).update(dict.fromkeys(self.names.keys[1:], USER), **{self.names.secret: SECRET})
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
        for key, variable in zip(self.names.keys, self.names.variables):
            if key in values:
                self.monkeypatch.setenv(variable, values[key])

    def _dotenv(self, values: Mapping[str, str]) -> None:
        pairs = zip(self.names.keys, self.names.variables)
        lines = [f"{variable}={values[key]}\n" for key, variable in pairs if key in values]
        _written(Path(".env"), "".join(lines))

    def _profile(self, values: Mapping[str, str]) -> None:
        section = "smartfile" if self.service == "oauth" else self.service
        lines = [f"{key} = {value}\n" for key, value in values.items()]
        _written(get_config_path(), f"[{section}]\n" + "".join(lines))

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

        ring = types.SimpleNamespace(get_password=get_password)
        self.monkeypatch.setitem(sys.modules, "keyring", ring)
        if len(self.names.keys) == 3:  # the keyring is asked for the password of a known user
            self._place("arg" if self.service != "filesender" else "env")[self.names.keys[2]] = USER

    def client(self, address: str) -> Any:
        """The client of a row."""
        given = dict(self.places.get("arg", {}))
        options: Dict[str, Any] = {"retry": RetryPolicy(attempts=1), "timeout": 10}
        url = self.url if address == "arg" else None
        return getattr(self, f"_make_{self.service}")(address, url, given, options)

    def _make_filesender(self, address: str, url: Optional[str], given: Any, options: Any) -> Any:
        if address == "link":
            url = f"{self.url}/?s=download&token={TOKEN}"
        elif address == "voucher":
            url = f"{self.url}/?s=upload&vid={TOKEN}"
        if "api_key" in given:
            options["auth"] = UserAuth(given["username"], given["api_key"])
        return FileSenderClient(url, **options)

    def _make_smartfile(self, address: str, url: Optional[str], given: Any, options: Any) -> Any:
        kind = OAuthClient if self.service == "oauth" else BasicClient
        if address == "default":
            names = kind.credential_spec._replace(defaults={"base_url": self.url})
            self.monkeypatch.setattr(kind, "credential_spec", names)
        return kind(url=url, **given, **options)

    _make_oauth = _make_smartfile

    def _make_nrp(self, address: str, url: Optional[str], given: Any, options: Any) -> Any:
        if address == "page":
            url = f"{self.url}/records/abcde-12345"
        return get_client(url, "it" if address == "alias" else None, **given, **options)

    def _make_perseus(self, address: str, url: Optional[str], given: Any, options: Any) -> Any:
        if address == "default":
            names = PerseusClient.credential_spec._replace(defaults={"base_url": self.url})
            self.monkeypatch.setattr(PerseusClient, "credential_spec", names)
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
    _check_explained(rows[world.names.secret], secret, arrives, client.base_url)
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
