"""download.php: file bytes, ranges, archives.

Source: FileSender protocol, sections 8.2, 8.3 and 15.
"""

import json
import os
import re
import time
import uuid
import zlib
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import parse_qsl, quote

import attrs

from smartxfer.local.database import Row
from smartxfer.local.exchange import Answer, Exchange, Part, Span, text_answer
from smartxfer.local.filesender import archives
from smartxfer.local.filesender.arguments import Arguments
from smartxfer.local.filesender.backend import Backend
from smartxfer.local.filesender.call import TOKEN, Identity
from smartxfer.local.filesender.encryption import stored_size
from smartxfer.local.filesender.identify import begin_signature, signer
from smartxfer.local.filesender.ranges import Range, Stretch, encrypted_spans, read_ranges, spans
from smartxfer.local.filesender.refusals import Refusal
from smartxfer.local.filesender.views import author_view, recipient_author_view
from smartxfer.local.php import fatal

__all__ = ["answer"]

_BOUNDARY = "MIME_BOUNDARY"
_FORM_LIMIT = 1 << 20


@attrs.frozen
class Request:
    """What is downloaded, by whom.

    :param transfer: the transfer.
    :param files: its files that are wanted, in the order asked for.
    :param recipient: whose token was used; None for the owner.
    :param author: how the audit log names who asks.
    :param arguments: query arguments, form fields among them.
    """

    transfer: Row
    files: List[Row]
    recipient: Optional[Row]
    author: Dict[str, Any]
    arguments: Arguments


def answer(backend: Backend, exchange: Exchange) -> Answer:
    """Answer a request for ``/download.php``."""
    if exchange.method not in ("GET", "HEAD", "POST"):
        return text_answer(405, "")
    try:
        arguments = _arguments(exchange)
        if not TOKEN.fullmatch(arguments.get("transaction_id")):
            return _with_transaction(backend, exchange)
        request = _request(backend, exchange, arguments)
    except Refusal as refusal:
        if backend.sessions.find(exchange.headers.get("cookie", "")) is None:
            return fatal()
        # A browser is sent to a page, which then answers 200.
        place = f"{backend.url}/?s=exception&exception={refusal.message}"
        return Answer(302, [("Location", place)], (b"",))
    # A closed transfer is looked for, too; its files are missing then.
    kind = arguments.get("archive_format") or ("zip" if len(request.files) > 1 else "")
    if kind:
        if exchange.method != "HEAD":
            _account(backend, request, archive=True)
        return _archive(backend, request, "tar" if kind == "tar" else "zip")
    return _file(backend, exchange, request)


def _arguments(exchange: Exchange) -> Arguments:
    query = exchange.query
    if exchange.method == "POST":
        form = exchange.body.read(_FORM_LIMIT).decode("utf-8", "replace")
        query += "&" + form if parse_qsl(form) else ""
    return Arguments(query)


def _with_transaction(backend: Backend, exchange: Exchange) -> Answer:
    """The redirect to itself; that of a 3.x has a doubled question mark."""
    query = "{}&transaction_id={}".format(exchange.query.lstrip("?"), uuid.uuid4())
    mark = "?" if backend.site.is_2x else "??"
    return Answer(
        302,
        [
            ("Content-Type", "text/html; charset=UTF-8"),
            ("Location", f"{backend.url}/download.php{mark}{query}"),
        ],
        (b"",),
    )


def _request(backend: Backend, exchange: Exchange, arguments: Arguments) -> Request:
    numbers = arguments.listed("files_ids") or arguments.listed("file_id")
    if not numbers or not all(re.fullmatch(r"\d{1,18}", word, re.ASCII) for word in numbers):
        raise Refusal("rest_bad_parameter")
    records = backend.records
    token = arguments.get("token")
    signature = begin_signature(backend, exchange, arguments)
    recipient = None
    if signature is not None and not token:
        signature.verify(backend.now())
        identity = Identity(signer(backend, arguments))
        transfer = records.transfer(records.file(int(numbers[0]))["transfer_id"])
        if identity.user is None or transfer["userid"] != identity.user["id"]:
            raise Refusal("rest_ownership_required")
        author = identity.author
    else:
        found = backend.any_transfer(token) if TOKEN.fullmatch(token) else None
        if found is None:
            raise Refusal("recipient_not_found")
        transfer = found
        recipient = records.db.row("SELECT * FROM recipients WHERE token=?", token)
        author = author_view() if recipient is None else recipient_author_view(recipient)
    if transfer["status"] not in ("available", "closed"):
        raise Refusal("transfer_not_found")
    files = {str(file["id"]): file for file in records.files(transfer["id"])}
    missing = [word for word in numbers if word not in files]
    if missing:
        raise Refusal("file_not_found")
    wanted = list(dict.fromkeys(numbers))
    return Request(transfer, [files[word] for word in wanted], recipient, author, arguments)


def _file(backend: Backend, exchange: Exchange, request: Request) -> Answer:
    """One file, whole or in part."""
    file, transfer = request.files[0], request.transfer
    site = backend.site
    encrypted = json.loads(transfer["encryption"])["encryption"]
    # What ranges are measured by is the plain size, what a whole download sends is the stored one.
    plain, size = file["size"], stored_size(transfer, file)
    header = exchange.headers.get("range")
    ranges: Optional[List[Range]] = None
    if header is not None and not site.plain_ranges:
        ranges = read_ranges(header, plain if site.strict_ranges else size, strict=site.strict_ranges)
        if ranges is None:
            return Answer(416, [("Content-Range", f"bytes */{plain}")], (b"",))
    missing = bool(size) and not os.path.exists(backend.records.objects.path(file["id"]))
    if exchange.method != "HEAD" and not missing:
        _account(backend, request, resumed=ranges is not None)
    headers = _headers(transfer, file, ranges[0] if ranges and len(ranges) == 1 else None)
    chunk = transfer["chunk_size"]
    if ranges is None:
        stretches: List[Stretch] = [(0, size)] if size else []
        if encrypted and site.strict_ranges:
            stretches = encrypted_spans(0, size, size, size, chunk)
        headers += _naming(file)
        if missing:
            # The headers are out before the file is looked for.
            return Answer(500, headers, (b"",), size)
        return Answer(200, headers, _parts(backend, file, stretches), size)
    if missing:
        headers.append(("Content-Range", f"bytes {ranges[0].start}-{ranges[0].end}/{plain}"))
        return Answer(500, headers, (b"",), ranges[0].length)
    if len(ranges) > 1:
        return _multipart(backend, request, ranges, headers)
    one = ranges[0]
    if encrypted:
        stop = one.last if site.strict_ranges else one.last + 1
        stretches = encrypted_spans(one.start, stop, one.length, size, chunk)
    elif site.strict_ranges:
        stretches = spans(one.start, one.last, size, chunk)
    else:
        stretches = [(one.start, one.length)]
    headers.append(("Content-Range", f"bytes {one.start}-{one.end}/{plain}"))
    return Answer(206, headers, _parts(backend, file, stretches), one.length)


def _parts(backend: Backend, file: Row, stretches: List[Stretch]) -> Tuple[Part, ...]:
    path = backend.records.objects.path(file["id"])
    return tuple(Span(path, start, count) for start, count in stretches)


def _headers(transfer: Row, file: Row, one: Optional[Range]) -> List[Tuple[str, str]]:
    tag = "t{}_f{}_s{}_ranges_".format(transfer["id"], file["id"], file["size"])
    if one is not None:
        tag += f"__rs_{one.start}_e_{one.end}"
    # Without a time zone, as on real servers.
    modified = time.strftime("%a, %d %b %Y %H:%M:%S", time.gmtime(transfer["created"]))
    return [
        ("Content-Type", file["mime"]),
        ("Content-Transfer-Encoding", "binary"),
        ("Last-Modified", modified),
        ("ETag", f'"{tag}"'),
        ("Cache-control", "no-store, max-age=0"),
        ("Expires", "0"),
    ]


def _naming(file: Row) -> List[Tuple[str, str]]:
    base = file["name"].rsplit("/", 1)[-1]
    # A header has no place for quotes and line breaks; no site's rule lets them pass either.
    plain = re.sub(r"[\x00-\x1f\"\x7f]", "_", base)
    value = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(base)}"
    return [("Content-Disposition", value), ("Accept-Ranges", "bytes")]


def _multipart(
    backend: Backend, request: Request, ranges: List[Range], headers: List[Tuple[str, str]]
) -> Answer:
    """Several ranges, with a ``Content-Length`` that leaves the boundaries out."""
    file = request.files[0]
    size = stored_size(request.transfer, file)
    parts: List[Part] = []
    for one in ranges:
        head = "\r\n--{}\r\nContent-Type: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n".format(
            _BOUNDARY, file["mime"], one.start, one.end, file["size"]
        )
        parts.append(head.encode("ascii"))
        parts += _parts(backend, file, spans(one.start, one.last, size, size + 2))
    parts.append(f"\r\n--{_BOUNDARY}--\r\n".encode("ascii"))
    kind = "multipart/byteranges; boundary=" + _BOUNDARY
    return Answer(
        206,
        [("Content-Type", kind), *headers[1:]],
        parts,
        sum(one.length for one in ranges),
    )


def _archive(backend: Backend, request: Request, kind: str) -> Answer:
    """Several files in one; no ranges.

    Where a file has nothing on disk, as an empty one, both break off there, and a zip answers 500.
    Which bytes a real server still sends is unknown: those before that file here.
    """
    objects = backend.records.objects
    entries = [
        archives.Entry(file["name"], objects.path(file["id"]), file["size"]) for file in request.files
    ]
    make = archives.tar if kind == "tar" else archives.zip_stored
    length, parts = make(entries, int(request.transfer["created"]))
    ids = ",".join(str(file["id"]) for file in request.files)
    name = "transfer_{}_files_{:08x}.{}".format(request.transfer["id"], zlib.crc32(ids.encode()), kind)
    named = f'filename="{name}"' if kind == "tar" else f"filename*=UTF-8''{name}"
    headers = [
        ("Content-Type", "application/x-" + kind),
        ("Content-Disposition", "attachment; " + named),
        ("Cache-control", "no-store, max-age=0"),
    ]
    broken = kind == "zip" and any(entry.missing for entry in entries)
    return Answer(500 if broken else 200, headers, parts, length)


def _account(backend: Backend, request: Request, *, resumed: bool = False, archive: bool = False) -> None:
    """Audit log, the recipient's last activity, and the mails about a complete download."""
    records, now = backend.records, backend.now()
    number = request.transfer["id"]
    with records.db.transaction():
        if archive:
            records.log(number, "archive_download_started", now, request.author)
            records.log(number, "archive_download_ended", now, request.author)
        else:
            file = request.files[0]
            if resumed:
                records.log(number, "download_resumed", now, None, file)
            else:
                records.log(number, "download_started", now, request.author, file)
            records.log(number, "download_ended", now, request.author, file)
        if request.recipient is not None:
            records.db.run(
                "UPDATE recipients SET last_activity=? WHERE id=?",
                int(now),
                request.recipient["id"],
            )
    if resumed:
        return
    options = json.loads(request.transfer["options"])
    if options.get("email_download_complete") and request.recipient is not None:
        backend.mail(request.transfer["user_email"], "download_complete", request.transfer)
    asked = request.arguments.get("notify_upon_completion") == "1"
    if asked and request.recipient is not None and request.recipient["email"]:
        backend.mail(request.recipient["email"], "recipient_download_complete", request.transfer)
