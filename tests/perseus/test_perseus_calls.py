"""Requests of the Perseus client and its reading of canned responses."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
import sys
from typing import Any, Dict, Iterator, List, Type

import pytest
import requests
from responses import RequestsMock

from smartxfer import RetryPolicy, errors
from smartxfer.perseus import APIException, File, FileStatus, PerseusClient

BASE = "https://perseus.example.org"
API = f"{BASE}/api/v0/file"
STORE = "https://storage.example.net/bucket/file/f1/a.txt"
KEY = "sk-" + "k3y" * 8
DATA = b"content\n"
HASH = hashlib.sha256(DATA).hexdigest()


def record(id: str = "f1", status: str = "pending", **more: Any) -> Dict[str, Any]:
    return {"id": id, "name": "a.txt", "status": status, "createdAt": "2026-11-20T21:06:32.343Z", **more}


def found(*records: Dict[str, Any]) -> Dict[str, Any]:
    return {"files": list(records)}


def created(id: str = "f1", url: Any = f"{STORE}?X-Amz-Signature=s3cr3t") -> Dict[str, Any]:
    return {"file": record(id), "uploadUrl": url}


def xml(code: str, message: str = "no", request_id: str = "R1") -> str:
    inner = f"<Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}<HostId>h</HostId></Error>'


@pytest.fixture
def mock() -> Iterator[RequestsMock]:
    """Answers; one that is not asked for fails the test."""
    with RequestsMock() as active:
        yield active


@pytest.fixture
def client() -> Iterator[PerseusClient]:
    with PerseusClient(BASE, api_key=KEY, retry=RetryPolicy(attempts=1, backoff=0)) as made:
        yield made


def asked(mock: RequestsMock) -> List[requests.PreparedRequest]:
    return [call.request for call in mock.calls]


def words(mock: RequestsMock) -> List[str]:
    return [f"{request.method} {str(request.url).partition('?')[0]}" for request in asked(mock)]


def json_body(request: requests.PreparedRequest) -> Any:
    assert request.body is not None
    return json.loads(request.body)


class TestRequests:
    def test_create(self, mock: RequestsMock, client: PerseusClient) -> None:
        mock.add("POST", API, json=created(), status=201)
        made = client.file.create_file("été.txt", HASH.upper())
        assert (made["file"].id, made["upload_url"]) == ("f1", f"{STORE}?X-Amz-Signature=s3cr3t")
        [request] = asked(mock)
        assert json_body(request) == {"name": "été.txt", "sourceHash": HASH}
        assert isinstance(request.body, bytes)
        assert b"\\u00e9t\\u00e9" in request.body
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Content-Length"] == str(len(request.body))

    @pytest.mark.parametrize("nothing", [{"uploadUrl": None}, {"uploadUrl": ""}, {}])
    def test_create_with_nothing_to_send(
        self, mock: RequestsMock, client: PerseusClient, nothing: Dict[str, Any]
    ) -> None:
        mock.add("POST", API, json={"file": record(status="uploaded"), **nothing})
        assert client.file.create_file("a.txt", HASH)["upload_url"] == ""

    def test_find(self, mock: RequestsMock, client: PerseusClient) -> None:
        mock.add("POST", f"{API}/find", json=found(record()))
        client.file.find_files(["f1", "f2", "f1"])
        client.file.find_files(source_hashes=[HASH])
        client.file.find_files()
        client.file.find_file("f1")
        bodies = [{"ids": ["f1", "f2"]}, {"sourceHashes": [HASH]}, {}, {"ids": ["f1"]}]
        assert [json_body(request) for request in asked(mock)] == bodies

    def test_find_file_takes_no_other_record_for_it(self, mock: RequestsMock, client: PerseusClient) -> None:
        mock.add("POST", f"{API}/find", json=found(record("another")))
        assert client.file.find_file("f1") is None

    @pytest.mark.parametrize(
        ("id", "segment"),
        [
            ("../ontology/abc", "..%2Fontology%2Fabc"),
            ("a?b#c", "a%3Fb%23c"),
            ("100%", "100%25"),
            ("%2e%2e", "%252e%252e"),
            ("ä b", "%C3%A4%20b"),
        ],
    )
    def test_an_id_is_one_segment_of_the_path(
        self, mock: RequestsMock, client: PerseusClient, id: str, segment: str
    ) -> None:
        mock.add("DELETE", f"{API}/{segment}", status=204)
        client.file.delete_file(id)
        [request] = asked(mock)
        assert request.url == f"{API}/{segment}"
        assert request.headers["Authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize("status", [200, 202, 204])
    def test_any_good_answer_to_a_delete(
        self, mock: RequestsMock, client: PerseusClient, status: int
    ) -> None:
        mock.add("DELETE", f"{API}/f1", status=status, body=b"")
        client.file.delete_file("f1")


class TestRecords:
    def test_words_and_members_that_are_not_known(self, mock: RequestsMock, client: PerseusClient) -> None:
        mock.add("POST", f"{API}/find", json=found(record(status="scanning", size=7, owner={"a": 1})))
        [file] = client.file.find_files(["f1"])
        assert (file.status, file.status.final) == ("scanning", False)
        assert (file["size"], file["owner"]) == (7, {"a": 1})
        assert file.source_hash is None

    @pytest.mark.parametrize(
        ("text", "micro"),
        [
            ("2026-11-20T21:06:32Z", 0),
            ("2026-11-20T21:06:32.3Z", 300_000),
            ("2026-11-20T21:06:32.343Z", 343_000),
            ("2026-11-20T21:06:32.3434567Z", 343_456),
            ("2026-11-20T22:06:32+01:00", 0),
            ("2026-11-20T21:06:32", 0),
        ],
    )
    def test_when_it_was_made(self, text: str, micro: int) -> None:
        moment = dt.datetime(2026, 11, 20, 21, 6, 32, micro, tzinfo=dt.timezone.utc)
        assert File.from_wire(record(createdAt=text)).created_at == moment

    @pytest.mark.parametrize("text", ["yesterday", None])
    def test_a_time_that_no_calendar_knows(self, text: Any) -> None:
        assert File.from_wire(record(createdAt=text)).created_at is None

    @pytest.mark.parametrize("body", [{}, {"files": None}, {"files": {}}, [], "files", {"uploadUrl": "x"},
                                      {"file": None}, {"file": {"name": "a"}}])  # fmt: skip
    def test_answers_without_a_record(self, mock: RequestsMock, client: PerseusClient, body: Any) -> None:
        mock.add("POST", f"{API}/find", json=body)
        mock.add("POST", API, json=body)
        for call in (lambda: client.file.find_files(["f1"]), lambda: client.file.create_file("a.txt", HASH)):
            with pytest.raises(errors.DecodeError):
                call()


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, errors.BadRequest), (401, errors.AuthError), (402, errors.Forbidden), (403, errors.Forbidden),
            (404, errors.NotFound), (409, errors.Conflict), (413, errors.TooLarge), (422, errors.BadRequest),
            (429, errors.RateLimited), (500, errors.ServerError),
        ],
    )  # fmt: skip
    def test_by_status(
        self, mock: RequestsMock, client: PerseusClient, status: int, kind: Type[Exception]
    ) -> None:
        mock.add("POST", f"{API}/find", json={"message": "so it is"}, status=status)
        with pytest.raises(APIException, match="so it is") as raised:
            client.file.find_files(["f1"])
        assert isinstance(raised.value, kind)
        assert raised.value.status == status

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"message": ["a is bad", "b is too"], "error": "Bad Request"}, "a is bad; b is too"),
            ({"message": "", "error": "Bad Request"}, "Bad Request"),
            ({"detail": "no such thing"}, "no such thing"),
            ({"msg": "nothing"}, "nothing"),
            ("plain", "plain"),
        ],
    )
    def test_what_it_says(self, mock: RequestsMock, client: PerseusClient, body: Any, said: str) -> None:
        mock.add("POST", API, json=body, status=400)
        with pytest.raises(errors.BadRequest, match=said):
            client.file.create_file("a.txt", HASH)

    @pytest.mark.parametrize(
        ("status", "body", "code", "expired"),
        [
            (403, xml("AccessDenied", "Request has expired"), "AccessDenied", True),
            (400, xml("ExpiredToken"), "ExpiredToken", True),
            (403, xml("RequestTimeTooSkewed"), "RequestTimeTooSkewed", True),
            (403, xml("SignatureDoesNotMatch", "a &lt;b&gt; &amp;amp; c"), "SignatureDoesNotMatch", False),
            (
                403,
                xml("AccessDenied").replace("<Error>", '<Error xmlns="http://s3/">'),
                "AccessDenied",
                False,
            ),
            (400, "<?xml?><s3:Error><s3:Code>InvalidDigest</s3:Code></s3:Error>", "InvalidDigest", False),
            (400, '<?xml version="1.0"?><Error><Code>Cut', "", False),
            (413, "a proxy: too large", "", False),
        ],
    )
    def test_of_the_storage(
        self, mock: RequestsMock, client: PerseusClient, status: int, body: str, code: str, expired: bool
    ) -> None:
        mock.add("POST", f"{API}/find", json=found())
        mock.add("POST", API, json=created())
        mock.add("PUT", STORE, status=status, body=body, content_type="application/xml")
        mock.add("DELETE", f"{API}/f1", status=204)
        with pytest.raises(errors.StorageError) as raised:
            client.file.upload_file(("a.txt", DATA))
        assert (raised.value.code, raised.value.expired) == (code, expired)
        assert raised.value.request_id == ("R1" if "R1" in body else "")
        assert "s3cr3t" not in str(raised.value) + repr(vars(raised.value))

    def test_entities_are_not_expanded(self, mock: RequestsMock, client: PerseusClient) -> None:
        bomb = '<?xml version="1.0"?><!DOCTYPE e [<!ENTITY x "boom"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
        mock.add("POST", f"{API}/find", json=found())
        mock.add("POST", API, json=created())
        body = f"{bomb}<Error><Code>Denied</Code><Message>&x;&f;</Message></Error>"
        mock.add("PUT", STORE, status=403, body=body)
        mock.add("DELETE", f"{API}/f1", status=204)
        with pytest.raises(errors.StorageError) as raised:
            client.file.upload_file(("a.txt", DATA))
        assert raised.value.code == "Denied"
        assert [word for word in ("boom", "root:") if word in str(raised.value)] == []

    def test_content_does_not_go_from_https_to_http(self, mock: RequestsMock, client: PerseusClient) -> None:
        mock.add("POST", f"{API}/find", json=found())
        mock.add("POST", API, json=created(url="http://storage.example.net/bucket/a.txt?X-Amz-Signature=s"))
        mock.add("DELETE", f"{API}/f1", status=204)
        with pytest.raises(errors.RedirectRefused, match="https to http"):
            client.file.upload_file(("a.txt", DATA))
        assert words(mock)[-1] == f"DELETE {API}/f1"


class TestUploads:
    def test_another_client_sent_it_while_the_address_expired(
        self, mock: RequestsMock, client: PerseusClient
    ) -> None:
        mock.add("POST", f"{API}/find", json=found())
        mock.add("POST", API, json=created())
        mock.add("PUT", STORE, status=403, body=xml("AccessDenied", "Request has expired"))
        mock.add("DELETE", f"{API}/f1", status=204)
        mock.add("POST", API, json={"message": "known"}, status=409)
        mock.add("POST", f"{API}/find", json=found(record("theirs", "uploaded")))
        with PerseusClient(BASE, api_key=KEY, retry=RetryPolicy(backoff=0)) as patient:
            file = patient.file.upload_file(("a.txt", DATA))
        assert (file.id, file.status, file.reused) == ("theirs", FileStatus.UPLOADED, True)
        assert [request.method for request in asked(mock)].count("PUT") == 1


def test_raw_calls(mock: RequestsMock, client: PerseusClient) -> None:
    mock.add("POST", f"{API}/find", json=found(record()))
    assert client.post("file/find", ids=["f1"]) == found(record())
    assert json_body(asked(mock)[0]) == {"ids": ["f1"]}


@pytest.mark.parametrize("name", ["build_graph", "interlink", "job", "ontology"])
def test_what_is_not_here_is_in_the_original(name: str) -> None:
    with PerseusClient("http://127.0.0.1:9", api_key="k") as client:
        assert not hasattr(client, name)
        with pytest.raises(AttributeError, match=f"'{name}'.*perseus-client"):
            getattr(client, name)
        with pytest.raises(AttributeError, match="without await"):
            getattr(client.file, "upload_file_async")  # noqa: B009 - type checkers know that it is not there
        for thing in (client, client.file):
            with pytest.raises(AttributeError) as caught:
                getattr(thing, "no_such_thing")  # noqa: B009
            assert "perseus-client" not in str(caught.value)


def test_advice_does_not_depend_on_a_flag_of_type_checkers() -> None:
    """Sphinx imports modules with the flag set, and runs the examples of the pages then."""
    code = (
        "import cattrs, importlib, typing, smartxfer.perseus.client as module\n"
        "typing.TYPE_CHECKING = True\n"
        "importlib.reload(module)\n"
        "typing.TYPE_CHECKING = False\n"
        "try: module.PerseusClient('http://127.0.0.1:9', api_key='k').build_graph\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "use perseus-client for graphs" in done.stdout
