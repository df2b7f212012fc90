"""Calls without special rights: info, the own user, echo, and progress of a 2.x.

Source: FileSender protocol, sections 4 and 13.
"""

import re
from typing import Any, Dict

from smartxfer.local.filesender.call import ApiError, Call, Response, json_response


def info(call: Call) -> Response:
    """GET /info."""
    url = call.backend.url
    view: Dict[str, Any] = {
        "url": url + "/", "name": "FileSender", "logon_url": url + "/#logon-__target__",
        "upload_chunk_size": call.backend.site.upload_chunk_size,
    }
    if not call.backend.site.is_2x:
        view["forward_capabilities"] = [{"method": "REST"}]
    if call.backend.site.disclose_version:
        view["version"] = call.backend.site.version
    return json_response(view)


def user(call: Call) -> Response:
    """GET /user/@me and /user/@me/quota; other users are for administrators."""
    row = call.user()
    if call.segment(0) not in ("", "@me", str(row["id"])):
        if not call.is_admin():
            raise ApiError("rest_admin_required")
        row = call.backend.repository.user(call.number())
    if call.segment(1) == "quota":
        return json_response(None)
    return json_response(call.backend.serializer.user(row))


def echo(call: Call) -> Response:
    """GET /echo: arguments and authentication. The output for an unknown caller is a guess."""
    user, number, attributes = call.identity.user, None, None
    if user is not None:
        number = user["id"]
        attributes = {"uid": user["username"], "additional": {"name": user["username"]}}
    request: Dict[str, Any] = {
        "properties": {"type": call.header("content-type")},
        **dict.fromkeys(("count", "startIndex", "format")),
        "filterOp": [], "sortOrder": None, "updatedSince": None,
    }
    # `remote` is as unreliable as on a real server.
    auth = {"remote": False, "attr": attributes}
    return json_response({"args": call.segments, "request": request, "user": number, "auth": auth})


def progress(call: Call) -> Response:
    """GET /legacyuploadprogress/KEY of a 2.x: progress of an upload by a form.

    Uploads by form are not implemented, so that every key is unknown and returns null.
    """
    if not re.fullmatch("[a-z0-9]{13}", call.segment(0)):
        raise ApiError("rest_bad_parameter" if call.segment(0) else "rest_missing_parameter")
    return json_response(None)
