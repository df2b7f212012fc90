"""Faults that change what is answered, before a byte of it is sent."""

import html
import os
import re
from itertools import chain
from typing import Optional

import attrs
from werkzeug.http import http_date

from smartxfer.local.fault_plan import Held, Plan, Reset, Shot
from smartxfer.local.http_messages import FileSlice, Request, Response, text_response
from smartxfer.local.listener import Listener


def early_answer(request: Request, plan: Plan, listener: Listener) -> Optional[Response]:
    """The answer of a fault that comes before the service; None where the service is to act.

    :raises Reset: the connection is to be reset now.
    :raises Held: nothing is to be read or answered.
    """
    ignored = plan.find("ignore-range")
    if ignored is not None and request.headers.pop("range", None) is not None:
        ignored.fire()
    shot = plan.find("reset-before", "stall", "status", "redirect")
    if shot is None:
        return None
    shot.fire()
    if shot.effect.kind == "reset-before":
        raise Reset
    if shot.effect.kind == "stall":
        raise Held(shot.cleared)
    # A front end takes the whole request before it turns it down.
    request.body.drain()
    if shot.effect.kind == "redirect":
        url = shot.effect.detail.replace("{target}", request.target)
        return Response(shot.effect.status, [("Location", url)])
    return _status_answer(shot, listener)


def _status_answer(shot: Shot, listener: Listener) -> Response:
    effect = shot.effect
    if effect.detail.startswith("json:"):
        answer = listener.error(effect.status, effect.detail[5:])
    elif effect.detail.startswith("file:"):
        path = effect.detail[5:]
        part = FileSlice(path, 0, os.stat(path).st_size)
        answer = Response(effect.status, [("Content-Type", "application/json")], (part,))
    elif effect.detail == "html":
        text = f"<html><body><h1>{html.escape(str(effect.status))}</h1></body></html>"
        answer = text_response(effect.status, text)
    else:
        answer = text_response(effect.status, "")
    if effect.retry_after:
        value = effect.retry_after
        if value.startswith("date"):
            value = http_date(listener.now() + int(value[4:]))
        answer.headers.append(("Retry-After", value))
    return answer


def bend(request: Request, answer: Response, plan: Plan, listener: Listener) -> Response:
    """Apply the faults that the head of an answer shows.

    :raises Reset: the answer is lost.
    :raises Held: the answer never comes.
    """
    shot = plan.find("lose-answer", "no-answer")
    if shot is not None:
        request.body.drain()
        shot.fire()
        if shot.effect.kind == "lose-answer":
            raise Reset
        raise Held(shot.cleared)
    shot = plan.find("replace")
    if shot is not None:
        request.body.drain()
        shot.fire()
        return _status_answer(shot, listener)
    wrong = plan.find("wrong-range")
    if wrong is not None:
        answer = _wrong_range(answer, wrong)
    extra = plan.find("extra-byte")
    if extra is not None:
        length = answer.content_length() + 1
        answer = attrs.evolve(answer, parts=chain(answer.parts, [b"\0"]), length=length)
        extra.fire()
    return answer


def _wrong_range(answer: Response, shot: Shot) -> Response:
    headers = []
    for name, value in answer.headers:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", value)
        if name == "Content-Range" and found:
            start, end, total = map(int, found.groups())
            if shot.effect.detail == "total":
                total += 1
            else:
                start += 1
            value = f"bytes {start}-{end}/{total}"
            shot.fire()
        headers.append((name, value))
    return attrs.evolve(answer, headers=headers)
