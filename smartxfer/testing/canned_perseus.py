"""The canned answers of Perseus: what is asked by each method of the client, and what it gets.

Source: Perseus protocol, sections A.3 to A.8.
"""

import re
from typing import Dict, List, Pattern, Tuple

from smartxfer.testing import canned_perseus_account as account

__all__ = ["BASE_URL", "CASES", "FACTS", "FAILURES", "FIRST_USE", "PREFIXES", "Reply", "matcher"]

BASE_URL = account.BASE_URL
FACTS = account.FACTS

Reply = Tuple[str, str, account.Answer]


def matcher(base_url: str, path: str) -> Pattern[str]:
    """Matches a path of the API, or an address of the storage, ``*`` standing for any text but a query."""
    inner = re.escape(path).replace(r"\*", "[^?]*")
    before = "" if path.startswith("https:") else re.escape(base_url.rstrip("/")) + "/api/v0"
    return re.compile(before + inner + r"(\?.*)?$")


#: Prefix of a case, by the class of its method.
PREFIXES = {"FileService": "file."}

#: What a client asks before its first call: nothing.
FIRST_USE: List[Reply] = []

_FIND: Reply = ("POST", "/file/find", account.found)
_CREATE: Reply = ("POST", "/file", account.created)
_DELETE: Reply = ("DELETE", "/file/*", {"status": 204})
_GOOD: List[Reply] = [_FIND, _CREATE, ("PUT", f"{account.STORAGE_URL}/*", account.stored), _DELETE]
_REFUSED: List[Reply] = [_FIND, _CREATE, ("PUT", f"{account.STORAGE_URL}/*", account.NOT_STORED), _DELETE]
_NO_KEY: List[Reply] = [("POST", "/file/find", account.refusal(401, "Invalid API key"))]
_BAD_IDS = account.refusal(400, ["each value in ids must be a string"])
_BAD_FIND: List[Reply] = [("POST", "/file/find", _BAD_IDS)]
_KNOWN: List[Reply] = [("POST", "/file", account.refusal(409, "A file with this content already exists"))]
_GONE: List[Reply] = [("DELETE", "/file/*", account.refusal(404, "File not found"))]
_FAILED: List[Reply] = [("POST", "/file/find", account.failed)]

#: Each method's bad answers, and the exception that those raise.
_BAD: Dict[str, Tuple[List[Reply], str]] = {
    "post": (_BAD_FIND, "BadRequest"),
    "delete": (_GONE, "NotFound"),
    "upload": (_REFUSED, "StorageError"),
    "upload_many": (_REFUSED, "BatchError"),
    "upload_tree": (_REFUSED, "StorageError"),
    "list": (_NO_KEY, "AuthError"),
    "info": (_NO_KEY, "AuthError"),
    "exists": (_NO_KEY, "AuthError"),
    "remove": (_GONE, "NotFound"),
    "sync": (_REFUSED, "StorageError"),
    "file.upload_file": (_REFUSED, "StorageError"),
    "file.upload_many": (_REFUSED, "BatchError"),
    "file.create_file": (_KNOWN, "Conflict"),
    "file.find_files": (_NO_KEY, "AuthError"),
    "file.find_file": (_NO_KEY, "AuthError"),
    "file.delete_file": (_GONE, "NotFound"),
    "file.wait_for_file_upload": (_FAILED, "UploadFailed"),
    "file.wait_for_file_uploads": (_FAILED, "UploadFailed"),
    "file.exists": (_NO_KEY, "AuthError"),
    "file.sync_dir": (_REFUSED, "StorageError"),
}

#: Method name and case, and what is answered.
CASES: Dict[Tuple[str, str], List[Reply]] = {
    **{(name, "default"): _GOOD for name in _BAD},
    **{(name, "failure"): bad for name, (bad, _) in _BAD.items()},
}
#: Method name, and the exception that its failure raises (``upload_many`` of several files, ``sync_dir`` of
#: a directory with one new file).
FAILURES: Dict[str, str] = {name: error for name, (_, error) in _BAD.items()}
