"""Media types: what a call may send, and what it can be answered with.

Source: NRP protocol, section 3.
"""

from typing import Sequence

from werkzeug.http import parse_accept_header

from smartxfer.local.nrp.call import ApiError, Call, Response

JSON, RDM = "application/json", "application/vnd.inveniordm.v1+json"
#: What file lists and entries are answered as.
FILES = (JSON, RDM)
#: What records can be had as on the real server; some of the exports are not made here.
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
    """The media type of the answer.

    :param kinds: those that are told when none will do.
    :param made: those that can be made besides the two kinds of JSON.
    :raises ApiError: 406, the caller wants something else.
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
    """Go on only with a JSON body, or one that does not say what it is.

    :param crate: whether a crate would do on the real server; it is told so.
    :raises ApiError: 415, it is something else.
    """
    if call.request.media_type not in ("", JSON):
        kinds = [JSON, _CRATE] if crate else [JSON]
        raise ApiError(415, "Invalid 'Content-Type' header. Expected one of: " + ", ".join(kinds))


def labelled(answer: Response, kind: str) -> Response:
    """An answer under the media type that was asked for; refusals are plain JSON."""
    if kind != JSON and answer.status < 300:
        answer.headers = [
            (name, kind if name.lower() == "content-type" and value == JSON else value)
            for name, value in answer.headers
        ]
    return answer
