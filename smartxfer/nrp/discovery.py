"""Properties of a repository, from its well-known document or, for a plain InvenioRDM, its home page.

Source: NRP / Invenio protocol, section 1.
"""

import logging
import re
from typing import Any, List, Mapping, Optional
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

from smartxfer.errors import ClientError, DecodeError, HTTPError, NotAnHTTPServer
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.record_models import RecordModel, RecordModelLinks, RepositoryInfo, RepositoryLinks
from smartxfer.transport import Body, Success

__all__ = [
    "INVENIO_JSON",
    "discover_repository",
    "get_drafts_endpoint",
    "get_records_endpoint",
    "get_records_path",
    "has_metadata",
    "is_zenodo",
]

log = logging.getLogger("smartxfer.nrp")

#: Media type of InvenioRDM's record format: for plain JSON, Zenodo returns an older format.
INVENIO_JSON = "application/vnd.inveniordm.v1+json"
_GENERATOR_TAG_PATTERN = re.compile(r"<meta\b[^>]*\bname=[\"']generator[\"'][^>]*>", re.IGNORECASE)
_GENERATOR_VERSION_PATTERN = re.compile(r"\bcontent=[\"']InvenioRDM\s*v?([0-9][0-9A-Za-z.]*)?", re.IGNORECASE)
#: First version of InvenioRDM that supports fetched, remote and multipart files.
_FIRST_VERSION_WITH_TRANSFER_TYPES = 13
_HTML_PAGE = Success({200}, Body.ANY)


def discover_repository(api: RepositoryApi, base_url: str) -> RepositoryInfo:
    """Fetch the properties of a repository; without a well-known document it is a plain InvenioRDM.

    :param base_url: scheme, host and port.
    :raises CommunicationError: the repository cannot be reached, or returns an error.
    """
    base = base_url.rstrip("/")
    well_known_url = f"{base}/.well-known/repository/"
    try:
        document = api.get(well_known_url, auth=None).json(dict)
    except NotAnHTTPServer:
        raise
    except (ClientError, DecodeError) as error:
        log.debug("%s has no well-known document: %s", base, error)
        document = {}
    if "invenio_version" not in document:
        return _build_plain_invenio_info(api, base)
    parsed = RepositoryInfo.from_wire(document)
    api_url = urljoin(well_known_url, parsed.links.api) if parsed.links.api else f"{base}/api"
    info = parsed.evolve(links=parsed.links.evolve(api=api_url))
    return info.evolve(_load_models=lambda: _fetch_models(api, well_known_url, info))


def _fetch_models(api: RepositoryApi, well_known_url: str, info: RepositoryInfo) -> List[RecordModel]:
    if not info.links.models:
        return [_build_plain_invenio_model(info.links.api, str(info.links.api).rpartition("/api")[0])]
    entries = api.get(urljoin(well_known_url, info.links.models), auth=None).json(list)
    return [RecordModel.from_wire(entry) for entry in entries]


def _build_plain_invenio_info(repository_api: RepositoryApi, base: str) -> RepositoryInfo:
    """Return the properties of every InvenioRDM, with the version on its home page."""
    version = _detect_version(repository_api, base)
    major = re.match(r"[0-9]+", version or "")
    has_transfer_types = major is None or int(major.group()) >= _FIRST_VERSION_WITH_TRANSFER_TYPES
    api = f"{base}/api"
    info = RepositoryInfo(
        name=urlsplit(base).netloc,
        description="",
        version="RDM",
        invenio_version=version,
        transfers=["L", "F", "R", "M"] if has_transfer_types and version else ["L"],
        default_content_type=INVENIO_JSON if is_zenodo(base) else "application/json",
        links=RepositoryLinks(
            api=api,
            self_=base,
            records=f"{api}/records",
            drafts=f"{api}/user/records",
            requests=f"{api}/requests",
        ),
    )
    return info.evolve(_models=(_build_plain_invenio_model(api, base),))


def _build_plain_invenio_model(api_url: str, base: str) -> RecordModel:
    links = RecordModelLinks(
        records=f"{api_url}/records", drafts=f"{api_url}/user/records", html=f"{base}/records"
    )
    return RecordModel(type="records", name="records", links=links)


def _detect_version(api: RepositoryApi, base: str) -> Optional[str]:
    """Return the version on the home page, as a string; None if it is missing."""
    try:
        headers = {"Accept": "text/html"}
        page = api.get(f"{base}/", auth=None, headers=headers, success=_HTML_PAGE).text
    except (HTTPError, DecodeError) as error:
        log.debug("%s has no home page: %s", base, error)
        return None
    tag = _GENERATOR_TAG_PATTERN.search(page)
    content = _GENERATOR_VERSION_PATTERN.search(tag.group()) if tag else None
    if content is None:
        log.info("%s does not identify itself as InvenioRDM; it is treated as one", base)
        return None
    return (content.group(1) or "").rstrip(".") or None


def is_zenodo(url: str) -> bool:
    """Return True for a URL of Zenodo."""
    host = (urlsplit(url).hostname or "").lower()
    return host == "zenodo.org" or host.endswith(".zenodo.org")


# -- URLs of records -----------------------------------------------------------------------------------


def _select_model(info: RepositoryInfo, name: Optional[str]) -> Optional[RecordModel]:
    name = name or info.default_model
    return info.model(name) if name and name != "*" else None


def get_records_path(info: RepositoryInfo, model: Optional[str] = None) -> str:
    """Return the path of a model's records below the API, such as ``records``; None is the default model."""
    record_model = _select_model(info, model)
    link = urlsplit(record_model.links.records if record_model is not None else "")
    path, api = link.path.rstrip("/"), urlsplit(info.links.api).path.rstrip("/")
    return path[len(api) + 1 :] if path.startswith(f"{api}/") else "records"


def has_metadata(info: RepositoryInfo, model: Optional[str] = None) -> bool:
    """Return True if the records of a model have their fields in ``metadata``."""
    record_model = _select_model(info, model)
    models = [record_model] if record_model is not None else info.models
    return bool(models) and all(each.metadata for each in models)


def get_records_endpoint(info: RepositoryInfo, model: Optional[str] = None) -> Mapping[str, Any]:
    """Return ``url`` and ``params`` of the search in published records."""
    record_model = _select_model(info, model)
    link = record_model.links.records if record_model is not None else info.links.records
    return _split_query(info, link or f"{info.links.api}/records")


def get_drafts_endpoint(info: RepositoryInfo, model: Optional[str] = None) -> Mapping[str, Any]:
    """Return ``url`` and ``params`` of the search in the caller's records, including drafts."""
    record_model = _select_model(info, model)
    link = (record_model.links.drafts if record_model is not None else None) or info.links.drafts
    return _split_query(info, link or f"{info.links.api}/user/{get_records_path(info, model)}")


def _split_query(info: RepositoryInfo, link: str) -> Mapping[str, Any]:
    parts = urlsplit(urljoin(f"{info.links.api}/", link))
    bare = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return {"url": bare, "params": dict(parse_qsl(parts.query))}
