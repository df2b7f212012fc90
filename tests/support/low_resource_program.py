"""Program of test_poor_machines.py: uploads and downloads with every service, on a machine that lacks a resource.

Arguments: the condition, a directory with ``in/``, and the file for the account.  The account has for each step
"ok", or the error: its class, whether it is one of smartxfer's, and its hint.  Not a test, and no import of the
tests' own modules: it runs in a process of its own.
"""

import errno
import filecmp
import json
import os
import pathlib
import sys
import threading

CONDITION, PLACE, ACCOUNT = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
SOURCE, OUT = PLACE / "in" / "large.bin", PLACE / "out"
RECORD = {
    "metadata": {
        "title": "Reads of a run",
        "resource_type": {"id": "dataset"},
        "publication_date": "2026-11-20",
        "publisher": "P",
        "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
    },
    "files": {"enabled": True},
}
account = {}


def same(path):
    assert filecmp.cmp(str(path), str(SOURCE), shallow=False), path


def filesender():
    from smartxfer import FileSenderClient

    with FileSenderClient.from_environment(chunk_size=65536, concurrent_chunks=4) as client:
        sent = client.upload_workflow([SOURCE], link=True, progress=True)
        [result] = client.download_files(sent.token, OUT / "filesender", progress=True)
    same(result.path)


def smartfile():
    from smartxfer.smartfile import BasicClient

    with BasicClient() as client:
        client.upload_tree(PLACE / "in", "/up", progress=True)
        client.download_tree("/up", OUT / "smartfile", progress=True)
    same(OUT / "smartfile" / SOURCE.name)


def nrp():
    from smartxfer.nrp import get_client

    with get_client() as client:
        record = client.records.create(RECORD)
        client.files.upload_many(record, [SOURCE], progress=True)
        client.files.download_many(record, OUT / "nrp", progress=True)
    same(OUT / "nrp" / SOURCE.name)


def perseus():
    from smartxfer import PerseusClient

    with PerseusClient() as client:
        assert client.file.upload_file(SOURCE, progress=True).result.bytes == SOURCE.stat().st_size


def jetstream():
    from smartxfer.jetstream import JetStream

    with JetStream().api() as api:
        api.send_files(["/large.bin"], os.environ["JETSTREAM_PEER_HOST"], timeout=30, progress=True)


def command():
    """Send and fetch, as the command does them; its exit codes."""
    from smartxfer import FileSenderClient
    from smartxfer.cli import main

    assert main(["send", str(SOURCE)]) == 0, "send"
    with FileSenderClient.from_environment() as client:
        link = client.upload_workflow([SOURCE], link=True).download_url
    assert main(["fetch", link, str(OUT / "command")]) == 0, "fetch"
    same(OUT / "command" / SOURCE.name)


STEPS = [filesender, smartfile, nrp, perseus, jetstream, command]


def run(steps):
    from smartxfer.errors import SmartxferError

    for step in steps:
        try:
            step()
            account[step.__name__] = "ok"
        except BaseException as error:  # noqa: BLE001
            first = getattr(error, "errors", [error])[0] if getattr(error, "errors", None) else error
            account[step.__name__] = {
                "class": type(first).__name__,
                "typed": isinstance(first, SmartxferError),
                "hint": getattr(first, "hint", ""),
                "text": str(first),
            }


def write():
    with open(ACCOUNT, "w") as file:
        json.dump(account, file)


# -- the conditions --------------------------------------------------------------------------------------


def no_threads(most):
    """Let so many threads of smartxfer's start."""
    started = []
    real = threading.Thread.start

    def start(thread):
        if len(started) >= most:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        real(thread)

    threading.Thread.start = start


def no_locks():
    import fcntl

    def flock(fd, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl.flock = flock


def little_memory(mib):
    import resource

    import requests  # noqa: F401 - what is loaded by now needs no more

    import smartxfer.cli.app
    import smartxfer.filesender
    import smartxfer.jetstream
    import smartxfer.nrp
    import smartxfer.perseus
    import smartxfer.smartfile  # noqa: F401

    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (mib << 20), used + (mib << 20)))


def unknown_user():
    import pwd

    def unknown(uid):
        raise KeyError(uid)

    pwd.getpwuid = unknown


def closed_streams():
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()


kind, _, amount = CONDITION.partition(":")
if kind == "threads":
    no_threads(int(amount))
elif kind == "locks":
    no_locks()
elif kind == "fcntl":
    sys.modules["fcntl"] = None
elif kind == "memory":
    little_memory(int(amount))
elif kind == "user":
    unknown_user()
elif kind == "streams":
    closed_streams()

if kind == "late":
    import smartxfer.transfer.runner  # noqa: F401

    def late():
        threading.main_thread().join()
        run(STEPS)
        write()

    threading.Thread(target=late).start()
elif kind == "atexit":
    import atexit

    atexit.register(lambda: (run(STEPS), write()))
else:
    run(STEPS)
    write()
