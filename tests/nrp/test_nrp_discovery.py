"""Discovery: a client reads the description of the repository before any other request."""

from __future__ import annotations

from typing import Any, List

import pytest
import requests
from responses import RequestsMock

from smartxfer.errors import AuthError, NetworkError, RedirectRefused, ServerError, UsageError
from smartxfer.nrp import RepositoryClient, get_client
from smartxfer.nrp.discovery import is_zenodo
from tests.support import canned_records as canned

WELL_KNOWN = f"{canned.BASE}/.well-known/repository/"
HOME = f"{canned.BASE}/"


def test_nothing_is_asked_before_it_is_needed() -> None:
    with RequestsMock() as mock:
        client = get_client(canned.BASE, token="t" * 30)
        client.records.draft_records.with_model("datasets")
        client.close()
        assert len(mock.calls) == 0


def test_an_nrp_repository_tells_of_itself(web: RequestsMock, api: RepositoryClient) -> None:
    info = api.repository
    assert (info.name, info.invenio_version, info.links.api) == ("Demo repository", "14.0.5", canned.API)
    assert info.transfers == ["L", "F", "R", "M"]
    assert info.extra["colour"] == "blue"
    assert api.repository is info
    [call] = web.calls
    assert "Authorization" not in call.request.headers


def test_models_are_asked_when_they_are_wanted(web: RequestsMock, api: RepositoryClient) -> None:
    vocabulary = canned.model("affiliations", "affiliations", drafts=None)
    web.add("GET", f"{canned.BASE}/.well-known/repository/models", json=[canned.model(), vocabulary])
    info = api.repository
    assert len(web.calls) == 1
    assert [model.type for model in info.models] == ["datasets", "affiliations"]
    assert info.model("data sets").type == info.model("datasets").type == "datasets"
    with pytest.raises(UsageError, match="datasets, affiliations"):
        info.model("nothing")
    assert len(web.calls) == 2


@pytest.mark.parametrize(
    ("content", "version", "transfers"),
    [
        ("InvenioRDM 13.0.1", "13.0.1", ["L", "F", "R", "M"]),
        ("InvenioRDM v14", "14", ["L", "F", "R", "M"]),
        ("InvenioRDM 12.0", "12.0", ["L"]),
        ("InvenioRDM", None, ["L"]),
        ("Some CMS 5", None, ["L"]),
    ],
)
def test_a_plain_inveniordm(
    bare_web: RequestsMock, api: RepositoryClient, content: str, version: Any, transfers: List[str]
) -> None:
    bare_web.add("GET", WELL_KNOWN, status=404, body="<html>no</html>", content_type="text/html")
    page = f'<html><head><meta name="generator" content="{content}"/></head></html>'
    bare_web.add("GET", HOME, body=page, content_type="text/html")
    info = api.repository
    assert (info.invenio_version, info.transfers) == (version, transfers)
    assert info.links.api == canned.API
    assert [model.type for model in info.models] == ["records"]


def test_a_page_for_every_path_is_not_an_info_document(bare_web: RequestsMock, api: RepositoryClient) -> None:
    bare_web.add("GET", WELL_KNOWN, body="<html>an application</html>", content_type="text/html")
    bare_web.add("GET", HOME, status=403)
    assert api.repository.links.records == f"{canned.API}/records"


def test_a_repository_that_fails_is_not_taken_for_another(
    bare_web: RequestsMock, api: RepositoryClient
) -> None:
    bare_web.add("GET", WELL_KNOWN, status=500)
    with pytest.raises(ServerError):
        api.whoami()
    bare_web.replace("GET", WELL_KNOWN, body=requests.ConnectionError("broken"))
    with pytest.raises(NetworkError):
        api.whoami()
    bare_web.replace("GET", WELL_KNOWN, json=canned.about())
    assert api.repository.name == "Demo repository"


def test_an_api_elsewhere_gets_no_token(bare_web: RequestsMock, api: RepositoryClient) -> None:
    links = {"api": "https://repo.example:8443/api"}
    bare_web.add("GET", WELL_KNOWN, json=canned.about(links=links))
    with pytest.raises(RedirectRefused, match="repo.example:8443"):
        api.records.read(canned.RECORD)
    assert len(bare_web.calls) == 1


def test_whoami_of_a_good_token(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", f"{canned.API}/user/records", json=canned.page([], 0), headers={"X-User-ID": "7"})
    identity = api.whoami()
    assert (identity.authenticated, identity.user_id) == (True, "7")
    request: Any = web.calls[1].request
    assert request.headers["Authorization"] == "Bearer " + "t" * 30
    assert request.params == {"size": "1"}


def test_whoami_of_a_token_that_is_not_known(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", f"{canned.API}/user/records", **canned.refusal(403, "Permission denied."))
    with pytest.raises(AuthError, match="invalid or expired token") as caught:
        api.whoami()
    assert "new token" in caught.value.hint
    assert "t" * 30 not in str(caught.value)


def test_whoami_of_a_guest(web: RequestsMock) -> None:
    web.add("GET", f"{canned.API}/user/records", **canned.refusal(403, "Permission denied."))
    with get_client(canned.BASE) as guest:
        assert guest.whoami().authenticated is False


@pytest.mark.parametrize(
    ("url", "zenodo"),
    [
        ("https://zenodo.org", True),
        ("https://sandbox.zenodo.org/api", True),
        ("https://zenodo.org.example", False),
        ("https://notzenodo.org", False),
    ],
)
def test_which_hosts_are_zenodo(url: str, zenodo: bool) -> None:
    assert is_zenodo(url) is zenodo


def test_zenodo_is_asked_for_the_new_record_format(bare_web: RequestsMock) -> None:
    zenodo = "https://zenodo.org"
    bare_web.add("GET", f"{zenodo}/.well-known/repository/", status=404)
    bare_web.add("GET", f"{zenodo}/", body='<meta name="generator" content="InvenioRDM 13.0">')
    bare_web.add("GET", f"{zenodo}/api/records/1", json=canned.published(id="1"))
    with get_client(zenodo) as client:
        assert client.records.read(1).id == "1"
    assert bare_web.calls[2].request.headers["Accept"] == "application/vnd.inveniordm.v1+json"
