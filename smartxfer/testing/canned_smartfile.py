"""The canned answers of SmartFile: what is asked by each method of the client, and what it gets.

Source: SmartFile protocol, sections 3 to 5.
"""

import re
from typing import Dict, List, Pattern, Tuple

from smartxfer.testing import canned_smartfile_account as account

__all__ = ["BASE_URL", "CASES", "FACTS", "FAILURES", "FIRST_USE", "Reply", "matcher"]

BASE_URL = account.BASE_URL
FACTS = account.FACTS

Reply = Tuple[str, str, account.Answer]


def matcher(base_url: str, path: str) -> Pattern[str]:
    """Matches a path of the API, ``*`` standing for any text but a query, whatever its query."""
    inner = re.escape(path).replace(r"\*", "[^?]*")
    return re.compile(re.escape(base_url.rstrip("/")) + "/api/2" + inner + r"(\?.*)?$")


#: What a client asks before its first call: nothing.
FIRST_USE: List[Reply] = []

_INFO: Reply = ("GET", "/path/info/*", account.looked_at)
_DATA: Reply = ("GET", "/path/data/*", account.content)
_STORE: Reply = ("POST", "/path/data/*", account.stored)
_MKDIR: Reply = ("POST", "/path/oper/mkdir/", account.made)
_RENAME: Reply = ("POST", "/path/oper/rename/", account.made)
_BEGIN: Reply = ("POST", "/path/oper/*", account.begun)
_END: Reply = ("GET", "/task/*", account.ended)
_IN_PART: List[Reply] = [_BEGIN, ("GET", "/task/*", account.failed)]
_MISSING = account.refusal(404, "Not found.")
_ABSENT: Reply = ("GET", "/path/info/*", _MISSING)
_FORBIDDEN: Reply = ("GET", "/path/info/*", account.refusal(403, "You may not look here."))
_TAKEN = account.refusal(409, f"Destination exists:{account.PATH}")
_WRITE_REFUSED: Reply = ("POST", "/path/data/*", account.refusal(403, "You may not write here."))

#: Each method's good answers, its bad ones, and the exception that those raise.
_METHODS: Dict[str, Tuple[List[Reply], List[Reply], str]] = {
    "get": ([_INFO, ("GET", "/ping/", {"json": {"ping": "pong"}})], [_ABSENT], "NotFound"),
    "post": ([_MKDIR, _RENAME, _STORE, _BEGIN], [("POST", "/*", _TAKEN)], "Conflict"),
    "stat": ([_INFO], [_ABSENT], "NotFound"),
    "exists": ([_INFO], [_FORBIDDEN], "Forbidden"),
    "info": ([_INFO], [_ABSENT], "NotFound"),
    "list": ([_INFO], [_ABSENT], "NotFound"),
    "listdir": ([_INFO], [_ABSENT], "NotFound"),
    "mkdir": ([_MKDIR], [("POST", "/path/oper/mkdir/", _TAKEN)], "Conflict"),
    "rename": ([_RENAME, _INFO], [("POST", "/path/oper/rename/", _TAKEN)], "Conflict"),
    "checksum": ([_BEGIN, _END], _IN_PART, "TaskFailed"),
    "copy": ([_BEGIN, _END], _IN_PART, "TaskFailed"),
    "move": ([_BEGIN, _END], [("POST", "/path/oper/move/", _TAKEN)], "Conflict"),
    "remove": ([_BEGIN, _END], [("POST", "/path/oper/remove/", _MISSING)], "NotFound"),
    "wait": ([_END], _IN_PART, "TaskFailed"),
    "create_link": (
        [("POST", "/link/", {"status": 201, "json": account.LINKED})],
        [("POST", "/link/", {"status": 400, "json": {"path": ["No such file or directory"]}})],
        "BadRequest",
    ),
    "links": (
        [("GET", "/link/", {"json": account.LINKS})],
        [("GET", "/link/", account.refusal(403, "You may not see links."))],
        "Forbidden",
    ),
    "delete_link": (
        [("DELETE", "/link/*", {"status": 204})],
        [("DELETE", "/link/*", account.refusal(403, "It is another's link."))],
        "Forbidden",
    ),
    "upload": ([_INFO, _STORE, _BEGIN, _END], [_INFO, _WRITE_REFUSED], "Forbidden"),
    "upload_tree": ([_INFO, _STORE, _BEGIN, _END], [_INFO, _WRITE_REFUSED], "Forbidden"),
    "upload_many": ([_INFO, _STORE, _BEGIN, _END], [_INFO, _WRITE_REFUSED], "Forbidden"),
    "sync": ([_INFO, _STORE, _BEGIN, _END], [_FORBIDDEN], "Forbidden"),
    "download_many": ([_INFO, _DATA, _BEGIN, _END], [_ABSENT], "NotFound"),
    "download": ([_INFO, _DATA, _BEGIN, _END], [_ABSENT], "NotFound"),
    "download_tree": ([_INFO, _DATA, _BEGIN, _END], [_ABSENT], "NotFound"),
}

#: Method name and case, and what is answered.
CASES: Dict[Tuple[str, str], List[Reply]] = {
    **{(name, "default"): good for name, (good, _, _) in _METHODS.items()},
    **{(name, "failure"): bad for name, (_, bad, _) in _METHODS.items()},
}
#: Method name, and the exception that its failure raises.
FAILURES: Dict[str, str] = {name: error for name, (_, _, error) in _METHODS.items()}
