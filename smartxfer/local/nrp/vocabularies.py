"""Vocabularies: titles of the entries that metadata refer to by id.

Source: NRP protocol, sections 1 and 9.
"""

from typing import Any, Dict, List, Optional, Tuple

#: Titles by id, of each vocabulary. Other entries do not exist.
VOCABULARIES: Dict[str, Dict[str, str]] = {
    "languages": {"eng": "English", "ces": "Czech"},
    "licenses": {"cc-by-4.0": "CC BY 4.0"},
    "resourcetypes": {
        "dataset": "Dataset", "software": "Software", "publication": "Publication", "image": "Image",
        "other": "Other",
    },
    "titletypes": {"subtitle": "Subtitle", "alternative-title": "Alternative title", "other": "Other"},
    "descriptiontypes": {"abstract": "Abstract", "methods": "Methods", "other": "Other"},
    "datetypes": {"collected": "Collected", "created": "Created", "other": "Other"},
    "creatorsroles": {"datamanager": "Data manager", "other": "Other"},
    "contributorsroles": {"datamanager": "Data manager", "other": "Other"},
    "subjects": {},
    "affiliations": {},
}
#: Further members of some entries.
PROPS: Dict[str, Dict[str, Dict[str, Any]]] = {
    "languages": {"eng": {"props": {"alpha_2": "en"}}, "ces": {"props": {"alpha_2": "cs"}}},
    "licenses": {
        "cc-by-4.0": {
            "tags": ["recommended"],
            "props": {"url": "https://creativecommons.org/licenses/by/4.0/legalcode", "scheme": "spdx"},
        }
    },
}
#: Vocabularies with their own path, and the order of their lists.
APART = {"subjects": "subject", "affiliations": "name"}


def title(name: str, id: str) -> str:
    """Return the English title of an entry.

    :param name: name of the vocabulary.
    :param id: id of the entry.
    """
    return VOCABULARIES[name].get(id) or id.replace("-", " ").capitalize()


#: Metadata that refer to entries: field, path inside each of its values, vocabulary.
_NAMED: Tuple[Tuple[str, Tuple[str, ...], str], ...] = (
    ("resource_type", (), "resourcetypes"), ("languages", (), "languages"), ("rights", (), "licenses"),
    ("subjects", (), "subjects"), ("additional_titles", ("type",), "titletypes"),
    ("additional_titles", ("lang",), "languages"), ("additional_descriptions", ("type",), "descriptiontypes"),
    ("additional_descriptions", ("lang",), "languages"), ("dates", ("type",), "datetypes"),
    ("creators", ("role",), "creatorsroles"), ("creators", ("affiliations",), "affiliations"),
    ("contributors", ("role",), "contributorsroles"), ("contributors", ("affiliations",), "affiliations"),
)


def find_unknown_id(metadata: Dict[str, Any]) -> Optional[str]:
    """Return the first unknown id in metadata, or None."""
    for field, path, name in _NAMED:
        values: List[Any] = _flat([metadata.get(field)])
        for step in path:
            values = _flat([item.get(step) for item in values if isinstance(item, dict)])
        for item in values:
            id = item.get("id") if isinstance(item, dict) else None
            if isinstance(id, str) and id not in VOCABULARIES[name]:
                return id
    return None


def _flat(values: List[Any]) -> List[Any]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]
