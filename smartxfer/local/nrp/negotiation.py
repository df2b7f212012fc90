"""Content negotiation: media types of requests and responses.

Source: NRP protocol, section 3.
"""

from typing import Sequence

from werkzeug.http import parse_accept_header

from smartxfer.local.nrp.call import ApiError, Call, Response

JSON, RDM = "application/json", "application/vnd.inveniordm.v1+json"
#: Media types of file lists and entries.
FILES = (JSON, RDM)
#: Media types of records on the real server; some exports are not implemented here.
RECORDS = (
    JSON, "application/ld+json",
    "application/vnd.inveniordm.v1.full+csv", "application/vnd.inveniordm.v1.simple+csv",
    "application/marcxml+xml", RDM, "application/vnd.citationstyles.csl+json",
    "application/vnd.datacite.datacite+json", "application/vnd.geo+json",
    "application/vnd.datacite.datacite+xml",
    'application/ld+json;profile="https://datapackage.org/profiles/2.0/datapackage.json"',
    "application/x-dc+xml", "text/x-bibliography", "application/x-bibtex", "application/dcat+xml",
    "application/linkset+json",
)  # fmt: skip
_CRATE = 'application/ld+json;profile="https://w3id.org/ro/crate/1.1"'


def acceptable(call: Call, kinds: Sequence[str] = (JSON,), made: Sequence[str] = ()) -> str:
    """Return the media type of the response.

    :param kinds: media types in the error message.
    :param made: supported media types besides the two kinds of JSON.
    :raises ApiError: 406, the caller accepts none of them.
    """
    for kind, quality in parse_accept_header(call.header("accept") or "*/*"):
        kind = kind.partition(";")[0].lower()
        if quality > 0:
            if kind in ("*/*", "application/*", JSON):
                return JSON
            if (kind == RDM and RDM in kinds) or kind in made:
                return kind
    raise ApiError(406, "Invalid 'Accept' header. Expected one of: " + ", ".join(kinds))


def json_only(call: Call, *, crate: bool = False) -> None:
    """Check that the body is JSON or has no media type.

    :param crate: list crates in the error message, as the real server does.
    :raises ApiError: 415, it has another media type.
    """
    if call.request.media_type not in ("", JSON):
        kinds = [JSON, _CRATE] if crate else [JSON]
        raise ApiError(415, "Invalid 'Content-Type' header. Expected one of: " + ", ".join(kinds))


def with_content_type(response: Response, kind: str) -> Response:
    """Return a response with the requested media type; errors are plain JSON."""
    if kind != JSON and response.status < 300:
        response.headers = [
            (name, kind if name.lower() == "content-type" and value == JSON else value)
            for name, value in response.headers
        ]
    return response
