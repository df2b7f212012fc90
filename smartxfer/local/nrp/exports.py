"""Records in other formats: for citations, and for DataCite, Dublin Core and schema.org.

Source: NRP protocol, sections 3 and 9 (exports).
"""

import json
from typing import Any, Callable, Dict, List, Optional
from xml.sax.saxutils import escape

from smartxfer.local.http_messages import Response

__all__ = ["KINDS", "WITHOUT_TAG", "made"]

Record = Dict[str, Any]
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_GENERAL = {"dataset": "Dataset", "software": "Software", "publication": "Text", "image": "Image"}


def _people(record: Record) -> List[Dict[str, Any]]:
    return [one.get("person_or_org", {}) for one in record["metadata"].get("creators", [])]


def _html(record: Record, url: str) -> str:
    return "{}/records/{}".format(url, record["id"])


def _bibtex(record: Record, url: str) -> str:
    metadata = record["metadata"]
    date = str(metadata.get("publication_date", "")).split("/")[0].split("-")
    people = _people(record)
    first = people[0].get("family_name") or people[0].get("name", "") if people else "unknown"
    kind = "software" if _type(record) == "software" else "dataset" if _type(record) == "dataset" else "misc"
    fields = [
        ("author", " and\n                  ".join(one.get("name", "") for one in people)),
        ("title", metadata.get("title", "")),
        ("month", _MONTHS[int(date[1]) - 1] if len(date) > 1 else ""),
        ("year", date[0]),
        ("publisher", metadata.get("publisher", "")),
        ("version", metadata.get("version", "")),
    ]
    bare = ("month", "year")
    lines = [
        f"  {name:<12} = {value if name in bare else '{' + value + '}'},\n" for name, value in fields if value
    ]
    return "@{}{{{}_{}_{},\n{}}}".format(
        kind, first.lower().replace(" ", "_"), date[0], record["id"], "".join(lines)
    )


def _type(record: Record) -> str:
    return str(record["metadata"].get("resource_type", {}).get("id", "other"))


def _year(record: Record) -> str:
    return str(record["metadata"].get("publication_date", ""))[:4]


def _datacite(record: Record, url: str) -> Record:
    metadata = record["metadata"]
    creators = []
    for one in _people(record):
        personal = one.get("type") == "personal"
        found = {
            "name": one.get("name", ""),
            "nameType": "Personal" if personal else "Organizational",
        }
        if personal:
            found.update(givenName=one.get("given_name", ""), familyName=one.get("family_name", ""))
        creators.append({**found, "nameIdentifiers": []})
    return {
        "types": {"resourceTypeGeneral": _GENERAL.get(_type(record), "Other"), "resourceType": ""},
        "titles": [{"title": metadata.get("title", "")}],
        "creators": creators,
        "publisher": {"name": metadata.get("publisher", "")},
        "publicationYear": _year(record),
        "dates": [
            {"date": metadata.get("publication_date", ""), "dateType": "Issued"},
            {"date": record["updated"][:10], "dateType": "Updated"},
        ],
        "alternateIdentifiers": [
            {"alternateIdentifier": _html(record, url), "alternateIdentifierType": "URL"}
        ],
        "schemaVersion": "http://datacite.org/schema/kernel-4",
    }


def _citation(record: Record, url: str) -> Record:
    metadata = record["metadata"]
    return {
        "id": record["id"],
        "type": "document",
        "title": metadata.get("title", ""),
        "author": [
            {"family": one.get("family_name", one.get("name", "")), "given": one.get("given_name", "")}
            for one in _people(record)
        ],
        "issued": {"date-parts": [str(metadata.get("publication_date", "")).split("/")[0].split("-")]},
        "publisher": metadata.get("publisher", ""),
    }


def _bibliography(record: Record, url: str) -> str:
    metadata = record["metadata"]
    people = []
    for one in _people(record):
        given = str(one.get("given_name", ""))
        initial = f", {given[0]}." if given else ""
        people.append(str(one.get("family_name", one.get("name", ""))) + initial)
    title, publisher = metadata.get("title", ""), metadata.get("publisher", "")
    return f"{', '.join(people)} ({_year(record)}) \u201c{title}\u201d. {publisher}."


def _schema_org(record: Record, url: str) -> Record:
    metadata = record["metadata"]
    people = [
        {
            "name": one.get("name", ""),
            "givenName": one.get("given_name", ""),
            "familyName": one.get("family_name", ""),
            "@type": "Person",
        }
        for one in _people(record)
    ]
    return {
        "@context": "http://schema.org",
        "@type": "https://schema.org/CreativeWork",
        "identifier": record["links"]["self"],
        "name": metadata.get("title", ""),
        "creator": people,
        "author": people,
        "publisher": {"@type": "Organization", "name": metadata.get("publisher", "")},
        "dateCreated": record["created"],
        "dateModified": record["updated"],
        "datePublished": metadata.get("publication_date", ""),
        "url": _html(record, url),
    }


def _dublin_core(record: Record, url: str) -> str:
    metadata = record["metadata"]
    values = [("creator", one.get("name", "")) for one in _people(record)]
    values += [("date", metadata.get("publication_date", "")), ("publisher", metadata.get("publisher", ""))]
    values.append(("title", metadata.get("title", "")))
    lines = "".join(f"  <dc:{name}>{escape(str(value))}</dc:{name}>\n" for name, value in values if value)
    return (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<oai_dc:dc xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/">\n'
        f"{lines}</oai_dc:dc>\n"
    )


def _geo(record: Record, url: str) -> Record:
    return {"features": [], "type": "FeatureCollection"}


def _linkset(record: Record, url: str) -> Record:
    place, page = record["links"]["self"], _html(record, url)
    described = [{"href": place, "type": kind} for kind in sorted(KINDS)]
    return {
        "linkset": [
            {"describedby": described, "type": [{"href": "https://schema.org/AboutPage"}], "anchor": page},
            {"anchor": place, "describes": [{"href": page, "type": "text/html"}]},
        ]
    }


_MAKERS: Dict[str, Callable[[Record, str], Any]] = {
    "application/ld+json": _schema_org,
    "application/vnd.citationstyles.csl+json": _citation,
    "application/vnd.datacite.datacite+json": _datacite,
    "application/vnd.geo+json": _geo,
    "application/x-dc+xml": _dublin_core,
    "text/x-bibliography": _bibliography,
    "application/x-bibtex": _bibtex,
    "application/linkset+json": _linkset,
}
#: Media types that are made.
KINDS = tuple(_MAKERS)
#: Those whose answers have no ``ETag``.
WITHOUT_TAG = ("application/ld+json", "application/linkset+json")


def made(kind: str, record: Record, url: str) -> Optional[Response]:
    """Return a record in another format, None where the format is not an export.

    :param kind: its media type.
    :param record: the record as the API shows it.
    :param url: address of the site.
    """
    maker = _MAKERS.get(kind)
    if maker is None:
        return None
    found = maker(record, url)
    text = found if isinstance(found, str) else json.dumps(found)
    label = "text/plain" if kind == "text/x-bibliography" else kind
    return Response(200, [("Content-Type", label)], (text.encode("utf-8"),))
