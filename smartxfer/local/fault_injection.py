"""Faults that replace or change a response before its first byte is sent.

Those that act while a body is received are in ``request_faults.py``, while a response is sent in
``response_writer.py``.
"""

import html
import os
import re
from itertools import chain
from typing import Optional

import attrs
from werkzeug.http import http_date

from smartxfer.local.http_messages import FileSlice, Request, Response, text_response
from smartxfer.local.listener import Listener
from smartxfer.local.request_faults import Hang, PlannedFault, RequestFaults, Reset


def immediate_response(request: Request, faults: RequestFaults, listener: Listener) -> Optional[Response]:
    """Return the response of a fault that replaces the service, or None if the service handles the request.

    :raises Reset: the connection is to be reset now.
    :raises Hang: the connection is to stay silent.
    """
    ignored = faults.find("ignore-range")
    if ignored is not None and request.headers.pop("range", None) is not None:
        ignored.fire()
    fault = faults.find("reset-before", "stall", "status", "redirect")
    if fault is None:
        return None
    fault.fire()
    if fault.effect.kind == "reset-before":
        raise Reset
    if fault.effect.kind == "stall":
        raise Hang(fault.cleared)
    # A front end reads the whole request before it rejects it.
    request.body.drain()
    if fault.effect.kind == "redirect":
        url = fault.effect.detail.replace("{target}", request.target)
        return Response(fault.effect.status, [("Location", url)])
    return _status_response(fault, listener)


def _status_response(fault: PlannedFault, listener: Listener) -> Response:
    effect = fault.effect
    if effect.detail.startswith("json:"):
        response = listener.error_response(effect.status, effect.detail[5:])
    elif effect.detail.startswith("file:"):
        path = effect.detail[5:]
        part = FileSlice(path, 0, os.stat(path).st_size)
        response = Response(effect.status, [("Content-Type", "application/json")], (part,))
    elif effect.detail == "html":
        text = f"<html><body><h1>{html.escape(str(effect.status))}</h1></body></html>"
        response = text_response(effect.status, text)
    else:
        response = text_response(effect.status, "")
    if effect.retry_after:
        value = effect.retry_after
        if value.startswith("date"):
            value = http_date(listener.now() + int(value[4:]))
        response.headers.append(("Retry-After", value))
    return response


def apply_response_faults(
    request: Request, response: Response, faults: RequestFaults, listener: Listener
) -> Response:
    """Apply the faults that concern status, headers or length of a response.

    :raises Reset: the connection is to be reset instead of a response.
    :raises Hang: the response is never sent.
    """
    fault = faults.find("lose-answer", "no-answer")
    if fault is not None:
        request.body.drain()
        fault.fire()
        if fault.effect.kind == "lose-answer":
            raise Reset
        raise Hang(fault.cleared)
    fault = faults.find("replace")
    if fault is not None:
        request.body.drain()
        fault.fire()
        return _status_response(fault, listener)
    wrong = faults.find("wrong-range")
    if wrong is not None:
        response = _wrong_range(response, wrong)
    extra = faults.find("extra-byte")
    if extra is not None:
        length = response.content_length() + 1
        response = attrs.evolve(response, parts=chain(response.parts, [b"\0"]), length=length)
        extra.fire()
    return response


def _wrong_range(response: Response, fault: PlannedFault) -> Response:
    headers = []
    for name, value in response.headers:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", value)
        if name == "Content-Range" and match:
            start, end, total = map(int, match.groups())
            if fault.effect.detail == "total":
                total += 1
            else:
                start += 1
            value = f"bytes {start}-{end}/{total}"
            fault.fire()
        headers.append((name, value))
    return attrs.evolve(response, headers=headers)
