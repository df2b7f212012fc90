"""HTML pages: download, guest upload, errors; and the public configuration script.

Source: FileSender protocol, sections 4, 8.1, 9, 10, 13 and 15.
"""

import html
import json
import uuid
from typing import Any, Dict, List, Tuple

from smartxfer.local.filesender.authentication import guest_by_token
from smartxfer.local.filesender.call import (
    TOKEN,
    ApiError,
    Backend,
    Request,
    RequestArguments,
    Response,
    Row,
    text_response,
)
from smartxfer.local.filesender.serializers import file_access

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>FileSender</title>
<script type="text/javascript" src="{base}/filesender-config.js.php"></script></head>
<body{body}>
<div id="wrap">
{content}
</div>
</body>
</html>
"""

#: The element of a file, and the container of the elements: of a 3.x, and of a 2.x.
_ELEMENTS = (
    '<tr class="file" {}>\n<td class="name">{}</td>\n</tr>',
    '<table class="files"><tbody>\n{}\n</tbody></table>\n',
)
_ELEMENTS_2X = (
    '<div class="file" {}>\n<span class="name">{}</span>\n</div>',
    '<div class="files box">\n{}\n</div>\n',
)
#: Button for an archive of all files; a 3.x has it twice.
_ARCHIVE = '<div class="archive" data-id="{}"><a class="button" data-id="" href="#">Download</a></div>\n'
#: Attributes of the body without a login. There is always a token.
_BODY = ' data-security-token="{}" data-auth-type="{}"'

#: Options in the configuration script, and options that it quotes.
_LIMITS = (
    "max_transfer_size", "max_transfer_files", "max_transfer_file_size", "max_transfer_encrypted_file_size",
    "max_transfer_recipients", "max_transfer_days_valid", "default_transfer_days_valid",
)  # fmt: skip
_RULES = ("ban_extension", "extension_whitelist_regex", "valid_filename_regex")
_PASSWORD = ("upper_and_lower_case", "numbers", "special_characters")


def handle(backend: Backend, request: Request) -> Response:
    """Handle a request for a page (``/?s=...``)."""
    if backend.site.maintenance:
        # The text is a guess; the status is 200, as on real servers.
        text = "<p>This site is undergoing maintenance, please come back later.</p>"
        return _page(backend, f'<div class="maintenance">{text}</div>')
    if backend.site.database_down:
        return _error(backend, "failed_to_connect_to_database")
    arguments = RequestArguments(request.query)
    page = arguments.get("s")
    if page == "download":
        return _download(backend, arguments)
    if page == "upload" and "vid" in arguments:
        return _guest_upload(backend, arguments)
    if page == "exception":
        return _error(backend, arguments.get("exception") or "unknown")
    return _page(backend, '<h1>FileSender</h1><p class="splash">Log on to send files.</p>')


def _page(backend: Backend, content: str, body: str = "") -> Response:
    body = body or _BODY.format(uuid.uuid4(), "")
    return text_response(200, _PAGE.format(base=html.escape(backend.url), content=content, body=body))


def _error(backend: Backend, message: str) -> Response:
    """Return an error page: status 200, no file elements, a security token, as on real servers."""
    text = html.escape(message)
    return _page(backend, f'<div class="exception">\n<div class="message">{text}</div>\n</div>')


def _download(backend: Backend, arguments: RequestArguments) -> Response:
    token = arguments.get("token")
    if not TOKEN.fullmatch(token):
        return _error(backend, "token_has_bad_format")
    transfer = backend.open_transfer(token)
    if transfer is None:
        return _error(backend, "recipient_not_found")
    if transfer["status"] != "available":
        return _error(backend, "transfer_not_available")
    options = json.loads(transfer["options"])
    if options.get("must_be_logged_in_to_download") or options.get("verify_email_to_download"):
        return _page(backend, '<div class="box"><p>Please log on to download.</p></div>')
    files = backend.repository.files(transfer["id"])
    old = backend.site.is_2x
    if not old:
        files.sort(key=lambda file: str(file["name"]))
    element, around = _ELEMENTS_2X if old else _ELEMENTS
    rows = "\n".join(element.format(*_file_attributes(transfer, file)) for file in files)
    offer = _ARCHIVE.format(transfer["id"]) * (1 if old else 2)
    return _page(backend, around.format(rows) + offer)


def _file_attributes(transfer: Row, file: Row) -> Tuple[str, str]:
    """Return the attributes of a file's element, and the displayed name."""
    access = file_access(transfer, file)
    chunk = transfer["chunk_size"]
    dashed = [name for name in access if "-" in name]
    values: Dict[str, Any] = {
        "id": access["id"],
        "encrypted": "1" if access["encrypted"] else "",
        "mime": access["mime"],
        "chunk-size": chunk,
        "crypted-chunk-size": chunk + 32,
        **{name: access[name] for name in ("name", "size", *dashed, "fileiv", "fileaead", "transferid")},
    }
    attributes = "\n    ".join(f'data-{name}="{_format_value(value)}"' for name, value in values.items())
    return attributes, _format_value(access["name"])


def _format_value(value: Any) -> str:
    """Return a value as the template prints it: false values of PHP are empty."""
    return "" if value in (0, "0", None, False) else html.escape(str(value))


def _guest_upload(backend: Backend, arguments: RequestArguments) -> Response:
    """Return the page of a voucher: security token, session cookie, csrf cookie."""
    try:
        guest = guest_by_token(backend, arguments.get("vid"))
    except ApiError as refusal:
        return _error(backend, refusal.message)
    session = backend.sessions.begin(backend.now())
    body = _BODY.format(session.security_token, "guest")
    content = '<form id="upload_form" data-guest="{}"></form>'.format(guest["id"])
    page = _page(backend, content, body)
    cookies = [f"PHPSESSID={session.id}; path=/; HttpOnly; SameSite=Strict"]
    if backend.site.csrf:
        token = session.issue_csrf()
        cookies.append(f"csrfptoken={token}; path=/; Secure; SameSite=Strict")
    page.headers += [("Set-Cookie", cookie) for cookie in cookies]
    return page


def config_script(backend: Backend) -> Response:
    """Return the script with the site's limits; some values are quoted, some not."""
    site = backend.site
    values: Dict[str, str] = {
        "upload_chunk_size": str(site.upload_chunk_size),
        "upload_crypted_chunk_size": str(site.upload_chunk_size + 32),
        **{name: str(getattr(site, name)) for name in _LIMITS},
        **{name: _js_quote(getattr(site, name)) for name in _RULES},
        "terasender_enabled": "true",
        "terasender_worker_count": "6",
        "terasender_worker_max_chunk_retries": "20",
        "encryption_enabled": "true",
        "encryption_mandatory": _on_off(site.encryption_mandatory),
        "encryption_key_version_new_files": _js_quote(str(site.new_key_version)),
        "encryption_password_hash_iterations_new_files": _js_quote(str(site.encryption_iterations)),
        "encryption_min_password_length": "12",
        **{f"encryption_password_must_have_{rule}": "true" for rule in _PASSWORD},
        "encryption_encode_encrypted_chunks_in_base64_during_upload": _on_off(site.base64_chunks),
        "crypto_iv_len": _js_quote("16"),
        "crypto_crypt_name": _js_quote("AES-CBC" if site.new_key_version < 2 else "AES-GCM"),
        "crypto_hash_name": _js_quote("SHA-256"),
    }
    lines: List[str] = ["window.filesender = {};", "window.filesender.config = {"]
    lines += [f"    {name}: {value}," for name, value in values.items()]
    lines.append("};")
    return text_response(200, "\n".join(lines), "application/javascript; charset=UTF-8")


def _on_off(on: bool) -> str:
    return "true" if on else "false"


def _js_quote(text: str) -> str:
    return "'{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))
