"""The canned answers of NRP: what is asked by each method of the client, and what it gets.

Source: NRP / Invenio protocol, sections 1 to 5.
"""

import re
from typing import Dict, List, Pattern, Tuple

from smartxfer.testing import canned_nrp_account as account

__all__ = ["BASE_URL", "CASES", "FACTS", "FAILURES", "FIRST_USE", "PREFIXES", "Reply", "matcher"]

BASE_URL = account.BASE_URL
FACTS = account.FACTS

Reply = Tuple[str, str, account.Answer]


def matcher(base_url: str, path: str) -> Pattern[str]:
    """Matches a path of the repository, ``*`` standing for any text but a query, whatever its query."""
    inner = re.escape(path).replace(r"\*", "[^?]*")
    return re.compile(re.escape(base_url.rstrip("/")) + inner + r"(\?.*)?$")


#: Prefix of a case, by the class of its method.
PREFIXES = {"FilesClient": "files.", "RecordsClient": "records."}

#: What a client asks before its first call: what the repository is.
FIRST_USE: List[Reply] = [("GET", "/.well-known/repository/", account.about)]

_GOOD: List[Reply] = [
    ("GET", "/api/*", account.got),
    ("POST", "/api/*", account.posted),
    ("PUT", "/api/*", account.put),
    ("DELETE", "/api/*", account.deleted),
]
_LOOK = _GOOD[:1]
_ABSENT = account.refusal(404, "The persistent identifier does not exist.")
_DENIED = account.refusal(403, "Permission denied.")
_LOCKED = account.refusal(403, "Bucket is locked for modifications.")
_INVALID = account.refusal(
    400,
    "A validation error occurred.",
    [{"field": "metadata.creators", "messages": ["Missing data for required field."]}],
)
_WRONG_PAGE = account.refusal(400, "Invalid querystring parameters.")
_OUTDATED = account.refusal(412, "Revision id provided(1) doesn't match record's one(5)")


def _refused(verb: str, answer: account.Answer) -> List[Reply]:
    return [(verb, "/api/*", answer)]


#: Each method's bad answers, and the exception that those raise.
_BAD: Dict[str, Tuple[List[Reply], str]] = {
    "get": (_refused("GET", _ABSENT), "NotFound"),
    "whoami": (_refused("GET", _DENIED), "AuthError"),
    "upload": (_refused("POST", _DENIED), "Forbidden"),
    "upload_many": (_refused("POST", _DENIED), "Forbidden"),
    "upload_tree": ([*_LOOK, *_refused("POST", _DENIED)], "Forbidden"),
    "download": (_refused("GET", _ABSENT), "NotFound"),
    "download_many": (_refused("GET", _ABSENT), "NotFound"),
    "download_tree": (_refused("GET", _ABSENT), "NotFound"),
    "list": (_refused("GET", _ABSENT), "NotFound"),
    "info": (_refused("GET", _ABSENT), "NotFound"),
    "exists": (_refused("GET", _DENIED), "Forbidden"),
    "remove": ([*_refused("DELETE", _ABSENT), *_refused("GET", _ABSENT)], "NotFound"),
    "sync": ([*_LOOK, *_refused("POST", _DENIED), *_refused("DELETE", _DENIED)], "Forbidden"),
    "files.list": (_refused("GET", _ABSENT), "NotFound"),
    "files.read": (_refused("GET", _ABSENT), "NotFound"),
    "files.upload": (_refused("POST", _DENIED), "Forbidden"),
    "files.upload_many": (_refused("POST", _DENIED), "Forbidden"),
    "files.download": (_refused("GET", _ABSENT), "NotFound"),
    "files.download_many": (_refused("GET", _ABSENT), "NotFound"),
    "files.update": ([*_LOOK, *_refused("PUT", _DENIED)], "Forbidden"),
    "files.delete": ([*_refused("DELETE", _ABSENT), *_refused("GET", _ABSENT)], "NotFound"),
    "files.delete_all": (_refused("DELETE", _LOCKED), "Forbidden"),
    "files.sync_dir": ([*_LOOK, *_refused("POST", _DENIED), *_refused("DELETE", _DENIED)], "Forbidden"),
    "files.wait_fetch": (_refused("GET", account.failed_fetch), "TaskFailed"),
    "records.create": (_refused("POST", _DENIED), "Forbidden"),
    "records.read": (_refused("GET", _ABSENT), "NotFound"),
    "records.update": (_refused("PUT", _OUTDATED), "Conflict"),
    "records.delete": ([*_refused("DELETE", _ABSENT), *_refused("GET", _ABSENT)], "NotFound"),
    "records.publish": ([*_LOOK, *_refused("POST", _INVALID)], "BadRequest"),
    "records.search": (_refused("GET", _WRONG_PAGE), "BadRequest"),
    "records.versions": (_refused("GET", _ABSENT), "NotFound"),
    "records.latest": (_refused("GET", _ABSENT), "NotFound"),
    "records.edit_metadata": ([*_LOOK, *_refused("POST", _DENIED)], "Forbidden"),
    "records.new_version": ([*_LOOK, *_refused("POST", _DENIED)], "Forbidden"),
}

#: Method name and case, and what is answered.
CASES: Dict[Tuple[str, str], List[Reply]] = {
    **{(name, "default"): _GOOD for name in _BAD},
    **{(name, "failure"): bad for name, (bad, _) in _BAD.items()},
}
#: Method name, and the exception that its failure raises.
FAILURES: Dict[str, str] = {name: error for name, (_, error) in _BAD.items()}
