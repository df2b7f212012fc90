"""Settings that a site publishes, and the start of a guest's session.

Source: FileSender protocol, sections 4 and 10.
"""

import attrs

from smartxfer.filesender.auth import GuestAuth
from smartxfer.filesender.html_pages import parse_guest_page
from smartxfer.filesender.models import ServerInfo
from smartxfer.filesender.rest_api import FileSenderApi
from smartxfer.filesender.site_address import SiteConfig
from smartxfer.transport import redaction

__all__ = ["SiteSettings", "open_guest_session"]

#: Chunk size in bytes of a default installation, for sites that do not publish theirs.
_DEFAULT_CHUNK_SIZE = 5_242_880


@attrs.frozen
class SiteSettings:
    """Settings that a site publishes.

    :param info: from the REST API.
    :param config: from the public configuration script.
    """

    info: ServerInfo
    config: SiteConfig

    @property
    def max_chunk_size(self) -> int:
        """Bytes of the largest chunk that the site accepts."""
        sizes = (self.info.upload_chunk_size, self.config.upload_chunk_size)
        return next((size for size in sizes if size is not None and size > 0), _DEFAULT_CHUNK_SIZE)


def open_guest_session(api: FileSenderApi) -> None:
    """Start the session of a guest who has none, or whose session has expired (section 10)."""
    signer, auth = api.signer, api.signer.auth
    if not isinstance(auth, GuestAuth) or not (signer.session_expired or auth.security_token is None):
        return
    response = api.get_guest_page(auth.guest_token)
    auth.security_token = parse_guest_page(response.secret_text).security_token
    # Use the first of several tokens: it stays valid as long as no newer one is used.
    cookies = [value for name, value in response.cookies if name == "csrfptoken"]
    if signer.session_expired or auth.csrf_token is None:
        auth.csrf_token = cookies[0] if cookies else None
    for secret in (auth.security_token, auth.csrf_token):
        redaction.register_secret(secret or "")
    signer.session_expired = False
