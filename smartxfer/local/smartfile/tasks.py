"""Tasks: operations that take their time, and what is said while they do.

A task is done by the poll that says so: who does not wait for it finds the tree as it was. With
``task_polls`` of 0 it is done before its own request is answered.

Source: SmartFile protocol, section 5 (tasks).
"""

import uuid
from typing import Any, Dict

from smartxfer.local.http_messages import Response
from smartxfer.local.smartfile.answers import ApiError, detail
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.call import Call
from smartxfer.local.smartfile.jobs import JOBS
from smartxfer.local.smartfile.paging import envelope

__all__ = ["poll", "start"]

Task = Dict[str, Any]


def start(call: Call, operation: str, arguments: Dict[str, Any]) -> Response:
    """Begin a task.

    :param operation: a name among :data:`~smartxfer.local.smartfile.jobs.JOBS`.
    :param arguments: what it works on; JSON can say it.
    """
    backend = call.backend
    task: Task = {
        "uuid": str(uuid.uuid4()),
        "operation": operation,
        "arguments": arguments,
        "user": call.user,
        "polls": backend.site.task_polls,
        "begun": False,
        "status": "PENDING",
        "result": {},
    }
    if not task["polls"]:
        _finish(backend, task)
    backend.kept.put("task", task["uuid"], task)
    return call.json({"uuid": task["uuid"], "url": "/api/2/task/{}/".format(task["uuid"])})


def _finish(backend: Backend, task: Task) -> None:
    with backend.lock:
        try:
            result = JOBS[task["operation"]](backend, task["arguments"])
        except ApiError as refusal:
            # The job as a whole could not be done, such as an archive in a directory that is gone.
            result = {"errors": {"": str(refusal.message)}}
            task["status"] = "FAILURE"
        else:
            failed = bool(result.get("errors")) and backend.site.task_failure
            task["status"] = "FAILURE" if failed else "SUCCESS"
    task["result"] = result
    arguments = task["arguments"]
    for path in arguments.get("src") or arguments["path"]:
        backend.record(task["operation"], path, task["user"])


def poll(call: Call) -> Response:
    """``task/`` lists tasks, ``task/<uuid>/`` tells how one is, which brings it on."""
    backend = call.backend
    if not call.words:
        shown = [_shown(task) for task in backend.kept.all("task")]
        return call.json(shown) if backend.site.task_list == "array" else envelope(call, shown)
    with backend.lock:
        task = backend.kept.get("task", call.words[0]) if len(call.words) == 1 else None
        if task is None:
            raise detail(404, "Not found.")
        if task["status"] in ("PENDING", "PROGRESS"):
            _advance(backend, task)
            backend.kept.put("task", task["uuid"], task)
    return call.json(_shown(task))


def _advance(backend: Backend, task: Task) -> None:
    if not task["polls"]:
        _finish(backend, task)
        return
    task["polls"] -= 1
    task["status"] = "PROGRESS" if task["begun"] else "PENDING"
    task["begun"] = True


def _shown(task: Task) -> Dict[str, Any]:
    """A task with its status where either generation of clients looks for it."""
    return {
        "uuid": task["uuid"],
        "url": "/api/2/task/{}/".format(task["uuid"]),
        "status": task["status"],
        "result": {"status": task["status"], "result": task["result"]},
    }
