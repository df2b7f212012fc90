"""Records in other formats: for citations, and for DataCite, Dublin Core and schema.org.

Source: NRP protocol, sections 3 and 9 (exports).
"""

import json
from typing import Any, Callable, Dict, List, Optional, Tuple
from xml.sax.saxutils import escape

from smartxfer.local.http_messages import Response, text_response

Record = Dict[str, Any]
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_GENERAL = {"dataset": "Dataset", "software": "Software", "publication": "Text", "image": "Image"}


class _RecordFields:
    """Fields of a record that the formats need."""

    def __init__(self, record: Record, url: str) -> None:
        metadata = record["metadata"]
        self.record = record
        self.page = "{}/records/{}".format(url, record["id"])
        self.people: List[Record] = [
            person.get("person_or_org", {}) for person in metadata.get("creators", [])
        ]
        self.names = [person.get("name", "") for person in self.people]
        self.type = str(metadata.get("resource_type", {}).get("id", "other"))
        self.title, self.publisher = metadata.get("title", ""), metadata.get("publisher", "")
        self.version, self.date = metadata.get("version", ""), metadata.get("publication_date", "")
        self.day = str(self.date).split("/")[0].split("-")
        self.year = str(self.date)[:4]

    def families(self) -> List[Tuple[Any, Any]]:
        """Return family and given name of each person."""
        names = [person.get("family_name", person.get("name", "")) for person in self.people]
        return [(name, person.get("given_name", "")) for name, person in zip(names, self.people)]


def _bibtex(record_fields: _RecordFields) -> str:
    first = record_fields.families()[0][0] or record_fields.names[0] if record_fields.people else "unknown"
    kind = record_fields.type if record_fields.type in ("software", "dataset") else "misc"
    bare = ("month", "year")
    fields = [
        ("author", " and\n                  ".join(record_fields.names)), ("title", record_fields.title),
        ("month", _MONTHS[int(record_fields.day[1]) - 1] if len(record_fields.day) > 1 else ""),
        ("year", record_fields.day[0]), ("publisher", record_fields.publisher),
        ("version", record_fields.version),
    ]
    lines = [
        f"  {name:<12} = {value if name in bare else '{' + value + '}'},\n" for name, value in fields if value
    ]
    label = "{}_{}_{}".format(
        first.lower().replace(" ", "_"), record_fields.day[0], record_fields.record["id"]
    )
    return "@{}{{{},\n{}}}".format(kind, label, "".join(lines))


def _datacite(fields: _RecordFields) -> Record:
    creators = []
    for person in fields.people:
        personal = person.get("type") == "personal"
        creator = {"name": person.get("name", ""), "nameType": "Personal" if personal else "Organizational"}
        if personal:
            creator.update(givenName=person.get("given_name", ""), familyName=person.get("family_name", ""))
        creators.append({**creator, "nameIdentifiers": []})
    updated = fields.record["updated"][:10]
    return {
        "types": {"resourceTypeGeneral": _GENERAL.get(fields.type, "Other"), "resourceType": ""},
        "titles": [{"title": fields.title}],
        "creators": creators,
        "publisher": {"name": fields.publisher},
        "publicationYear": fields.year,
        "dates": [{"date": fields.date, "dateType": "Issued"}, {"date": updated, "dateType": "Updated"}],
        "alternateIdentifiers": [{"alternateIdentifier": fields.page, "alternateIdentifierType": "URL"}],
        "schemaVersion": "http://datacite.org/schema/kernel-4",
    }


def _citation(fields: _RecordFields) -> Record:
    return {
        "id": fields.record["id"], "type": "document", "title": fields.title,
        "author": [{"family": family, "given": value} for family, value in fields.families()],
        "issued": {"date-parts": [fields.day]}, "publisher": fields.publisher,
    }


def _bibliography(fields: _RecordFields) -> str:
    users = [str(family) + (f", {value[0]}." if value else "") for family, value in fields.families()]
    return f"{', '.join(users)} ({fields.year}) \u201c{fields.title}\u201d. {fields.publisher}."


def _schema_org(fields: _RecordFields) -> Record:
    keys = {"name": "name", "givenName": "given_name", "familyName": "family_name"}
    users = [
        {**{key: person.get(name, "") for key, name in keys.items()}, "@type": "Person"}
        for person in fields.people
    ]
    return {
        "@context": "http://schema.org", "@type": "https://schema.org/CreativeWork",
        "identifier": fields.record["links"]["self"], "name": fields.title, "creator": users, "author": users,
        "publisher": {"@type": "Organization", "name": fields.publisher},
        "dateCreated": fields.record["created"], "dateModified": fields.record["updated"],
        "datePublished": fields.date, "url": fields.page,
    }


def _dublin_core(fields: _RecordFields) -> str:
    values = [("creator", name) for name in fields.names]
    values += [("date", fields.date), ("publisher", fields.publisher), ("title", fields.title)]
    lines = "".join(f"  <dc:{name}>{escape(str(value))}</dc:{name}>\n" for name, value in values if value)
    return (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<oai_dc:dc xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/">\n'
        f"{lines}</oai_dc:dc>\n"
    )


def _linkset(fields: _RecordFields) -> Record:
    url = fields.record["links"]["self"]
    described = [{"href": url, "type": kind} for kind in sorted(KINDS)]
    about: Record = {"describedby": described, "type": [{"href": "https://schema.org/AboutPage"}]}
    about["anchor"] = fields.page
    return {"linkset": [about, {"anchor": url, "describes": [{"href": fields.page, "type": "text/html"}]}]}


_EXPORTERS: Dict[str, Callable[[_RecordFields], Any]] = {
    "application/ld+json": _schema_org, "application/vnd.citationstyles.csl+json": _citation,
    "application/vnd.datacite.datacite+json": _datacite,
    "application/vnd.geo+json": lambda facts: {"features": [], "type": "FeatureCollection"},
    "application/x-dc+xml": _dublin_core, "text/x-bibliography": _bibliography,
    "application/x-bibtex": _bibtex, "application/linkset+json": _linkset,
}
#: Supported media types.
KINDS = tuple(_EXPORTERS)
#: Media types whose responses lack an ``ETag``.
WITHOUT_TAG = ("application/ld+json", "application/linkset+json")


def export(kind: str, record: Record, url: str) -> Optional[Response]:
    """Return a record in another format, or None for an unknown one.

    :param kind: its media type.
    :param record: the record as the API shows it.
    :param url: address of the site.
    """
    maker = _EXPORTERS.get(kind)
    if maker is None:
        return None
    exported = maker(_RecordFields(record, url))
    text = exported if isinstance(exported, str) else json.dumps(exported)
    label = "text/plain" if kind == "text/x-bibliography" else kind
    return text_response(200, text, label)
