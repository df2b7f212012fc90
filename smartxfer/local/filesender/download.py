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

from smartxfer.local.filesender.archives import tar_stream
from smartxfer.local.filesender.authentication import begin_signature, signing_user
from smartxfer.local.filesender.call import (
    TOKEN,
    ApiError,
    Backend,
    FileSlice,
    Identity,
    Part,
    Request,
    RequestArguments,
    Response,
    Row,
    fatal_response,
    text_response,
)
from smartxfer.local.filesender.encryption import stored_size
from smartxfer.local.filesender.ranges import Range, Span, encrypted_spans, read_ranges, spans
from smartxfer.local.filesender.serializers import serialize_author, serialize_recipient_author
from smartxfer.local.zip_stream import ZipMember, zip_stream

_BOUNDARY = "MIME_BOUNDARY"
_FORM_LIMIT = 1 << 20


@attrs.frozen
class DownloadRequest:
    """A download: files and caller.

    :param transfer: the transfer.
    :param files: the requested files, in the requested order.
    :param recipient: recipient of the token; None for the owner.
    :param author: the caller in the audit log.
    :param arguments: query arguments, form fields among them.
    """

    transfer: Row
    files: List[Row]
    recipient: Optional[Row]
    author: Dict[str, Any]
    arguments: RequestArguments


def handle(backend: Backend, request: Request) -> Response:
    """Handle a request for ``/download.php``."""
    if request.method not in ("GET", "HEAD", "POST"):
        return text_response(405, "")
    try:
        arguments = _arguments(request)
        if not TOKEN.fullmatch(arguments.get("transaction_id")):
            return _with_transaction(backend, request)
        download = _parse_request(backend, request, arguments)
    except ApiError as refusal:
        if backend.sessions.get(request.cookies.get("PHPSESSID", "")) is None:
            return fatal_response()
        # A browser is redirected to a page with status 200.
        place = f"{backend.url}/?s=exception&exception={refusal.message}"
        return Response(302, [("Location", place)])
    # Closed transfers are found too, but their files are missing.
    kind = arguments.get("archive_format") or ("zip" if len(download.files) > 1 else "")
    if kind:
        if request.method != "HEAD":
            _log_download(backend, download, archive=True)
        return _archive(backend, download, "tar" if kind == "tar" else "zip")
    return _file(backend, request, download)


def _arguments(request: Request) -> RequestArguments:
    query = request.query
    if request.method == "POST":
        form = request.body.read(_FORM_LIMIT).decode("utf-8", "replace")
        query += "&" + form if parse_qsl(form) else ""
    return RequestArguments(query)


def _with_transaction(backend: Backend, request: Request) -> Response:
    """Return the redirect to the same URL with a transaction id; that of a 3.x has a second question mark."""
    query = "{}&transaction_id={}".format(request.query.lstrip("?"), uuid.uuid4())
    mark = "?" if backend.site.is_2x else "??"
    response = text_response(302, "")
    response.headers.append(("Location", f"{backend.url}/download.php{mark}{query}"))
    return response


def _parse_request(backend: Backend, request: Request, arguments: RequestArguments) -> DownloadRequest:
    numbers = arguments.get_list("files_ids") or arguments.get_list("file_id")
    if not numbers or not all(re.fullmatch(r"\d{1,18}", word, re.ASCII) for word in numbers):
        raise ApiError("rest_bad_parameter")
    records = backend.repository
    token = arguments.get("token")
    signature = begin_signature(backend, request, arguments)
    recipient = None
    if signature is not None and not token:
        signature.verify(backend.now())
        identity = Identity(signing_user(backend, arguments))
        transfer = records.transfer(records.file(int(numbers[0]))["transfer_id"])
        if identity.user is None or transfer["userid"] != identity.user["id"]:
            raise ApiError("rest_ownership_required")
        author = identity.author
    else:
        token_transfer = backend.any_transfer(token) if TOKEN.fullmatch(token) else None
        if token_transfer is None:
            raise ApiError("recipient_not_found")
        transfer = token_transfer
        recipient = records.db.find("recipients", token=token)
        author = serialize_author() if recipient is None else serialize_recipient_author(recipient)
    if transfer["status"] not in ("available", "closed"):
        raise ApiError("transfer_not_found")
    files = {str(file["id"]): file for file in records.files(transfer["id"])}
    missing = [word for word in numbers if word not in files]
    if missing:
        raise ApiError("file_not_found")
    requested = list(dict.fromkeys(numbers))
    return DownloadRequest(transfer, [files[word] for word in requested], recipient, author, arguments)


def _file(backend: Backend, request: Request, download: DownloadRequest) -> Response:
    """Return one file or ranges of it."""
    file, transfer = download.files[0], download.transfer
    site = backend.site
    encrypted = json.loads(transfer["encryption"])["encryption"]
    # Ranges refer to the plain size; a whole download sends the stored size.
    plain, size = file["size"], stored_size(transfer, file)
    header = request.headers.get("range")
    ranges: Optional[List[Range]] = None
    if header is not None and not site.plain_ranges:
        ranges = read_ranges(header, plain if site.strict_ranges else size, strict=site.strict_ranges)
        if ranges is None:
            return Response(416, [("Content-Range", f"bytes */{plain}")])
    missing = bool(size) and not os.path.exists(backend.repository.objects.path(file["id"]))
    if request.method != "HEAD" and not missing:
        _log_download(backend, download, resumed=ranges is not None)
    headers = _headers(transfer, file, ranges[0] if ranges and len(ranges) == 1 else None)
    chunk = transfer["chunk_size"]
    if ranges is None:
        stretches: List[Span] = [(0, size)] if size else []
        if encrypted and site.strict_ranges:
            stretches = encrypted_spans(0, size, size, size, chunk)
        headers += _content_disposition(file)
        if missing:
            # The headers are sent before the file is opened.
            return Response(500, headers, (b"",), size)
        return Response(200, headers, _parts(backend, file, stretches), size)
    if missing:
        headers.append(("Content-Range", f"bytes {ranges[0].start}-{ranges[0].end}/{plain}"))
        return Response(500, headers, (b"",), ranges[0].length)
    if len(ranges) > 1:
        return _multipart(backend, download, ranges, headers)
    single_range = ranges[0]
    if encrypted:
        stop = single_range.last if site.strict_ranges else single_range.last + 1
        stretches = encrypted_spans(single_range.start, stop, single_range.length, size, chunk)
    elif site.strict_ranges:
        stretches = spans(single_range.start, single_range.last, size, chunk)
    else:
        stretches = [(single_range.start, single_range.length)]
    headers.append(("Content-Range", f"bytes {single_range.start}-{single_range.end}/{plain}"))
    return Response(206, headers, _parts(backend, file, stretches), single_range.length)


def _parts(backend: Backend, file: Row, ranges: List[Span]) -> Tuple[Part, ...]:
    path = backend.repository.objects.path(file["id"])
    return tuple(FileSlice(path, start, count) for start, count in ranges)


def _headers(transfer: Row, file: Row, single_range: Optional[Range]) -> List[Tuple[str, str]]:
    tag = "t{}_f{}_s{}_ranges_".format(transfer["id"], file["id"], file["size"])
    if single_range is not None:
        tag += f"__rs_{single_range.start}_e_{single_range.end}"
    # Without a time zone, as on real servers.
    modified = time.strftime("%a, %d %b %Y %H:%M:%S", time.gmtime(transfer["created"]))
    return [
        ("Content-Type", file["mime"]), ("Content-Transfer-Encoding", "binary"), ("Last-Modified", modified),
        ("ETag", f'"{tag}"'), ("Cache-control", "no-store, max-age=0"), ("Expires", "0"),
    ]


def _content_disposition(file: Row) -> List[Tuple[str, str]]:
    base = file["name"].rsplit("/", 1)[-1]
    # Quotes and line breaks are not possible in a header; the name rules of sites exclude them too.
    plain = re.sub(r"[\x00-\x1f\"\x7f]", "_", base)
    value = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(base)}"
    return [("Content-Disposition", value), ("Accept-Ranges", "bytes")]


def _multipart(
    backend: Backend, download: DownloadRequest, ranges: List[Range], headers: List[Tuple[str, str]]
) -> Response:
    """Return several ranges, with a ``Content-Length`` that does not count the boundaries."""
    file = download.files[0]
    size = stored_size(download.transfer, file)
    parts: List[Part] = []
    for byte_range in ranges:
        head = "\r\n--{}\r\nContent-Type: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n".format(
            _BOUNDARY, file["mime"], byte_range.start, byte_range.end, file["size"]
        )
        parts.append(head.encode("ascii"))
        parts += _parts(backend, file, spans(byte_range.start, byte_range.last, size, size + 2))
    parts.append(f"\r\n--{_BOUNDARY}--\r\n".encode("ascii"))
    kind = "multipart/byteranges; boundary=" + _BOUNDARY
    length = sum(byte_range.length for byte_range in ranges)
    return Response(206, [("Content-Type", kind), *headers[1:]], parts, length)


def _archive(backend: Backend, download: DownloadRequest, kind: str) -> Response:
    """Return an archive of several files, without ranges.

    If a file does not exist on disk, such as an empty one, both end there, and a zip has status 500.
    It is unknown which bytes a real server sends before; this one sends the files before it.
    """
    objects, created = backend.repository.objects, float(download.transfer["created"])
    members = []
    for file in download.files:
        bytes_of_it = FileSlice(objects.path(file["id"]), 0, file["size"])
        members.append(ZipMember(file["name"], file["size"], [bytes_of_it], created, always_utf8=True))
    length, parts = (tar_stream if kind == "tar" else zip_stream)(members)
    ids = ",".join(str(file["id"]) for file in download.files)
    name = "transfer_{}_files_{:08x}.{}".format(download.transfer["id"], zlib.crc32(ids.encode()), kind)
    named = f'filename="{name}"' if kind == "tar" else f"filename*=UTF-8''{name}"
    headers = [
        ("Content-Type", "application/x-" + kind), ("Content-Disposition", "attachment; " + named),
        ("Cache-control", "no-store, max-age=0"),
    ]
    broken = kind == "zip" and any(member.missing for member in members)
    return Response(500 if broken else 200, headers, parts, length)


def _log_download(
    backend: Backend, download: DownloadRequest, *, resumed: bool = False, archive: bool = False
) -> None:
    """Write the audit log and the recipient's last activity, and send mails about a complete download."""
    records, now = backend.repository, backend.now()
    number = download.transfer["id"]
    with records.db.transaction():
        if archive:
            records.log(number, "archive_download_started", now, download.author)
            records.log(number, "archive_download_ended", now, download.author)
        else:
            file = download.files[0]
            if resumed:
                records.log(number, "download_resumed", now, None, file)
            else:
                records.log(number, "download_started", now, download.author, file)
            records.log(number, "download_ended", now, download.author, file)
        if download.recipient is not None:
            records.db.update("recipients", download.recipient["id"], last_activity=int(now))
    if resumed:
        return
    options = json.loads(download.transfer["options"])
    if options.get("email_download_complete") and download.recipient is not None:
        backend.mail(download.transfer["user_email"], "download_complete", download.transfer)
    wants_mail = download.arguments.get("notify_upon_completion") == "1"
    if wants_mail and download.recipient is not None and download.recipient["email"]:
        backend.mail(download.recipient["email"], "recipient_download_complete", download.transfer)
