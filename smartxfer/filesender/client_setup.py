"""Getting ready: what a site says of itself and of its limits, and the session of a guest.

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

#: Bytes of a chunk on a stock site, for one that does not say.
_DEFAULT_CHUNK_SIZE = 5_242_880


@attrs.frozen
class SiteSettings:
    """What a site says of itself.

    :param info: of its REST API.
    :param config: of its public script.
    """

    info: ServerInfo
    config: SiteConfig

    @property
    def max_chunk_size(self) -> int:
        """Bytes of the largest chunk that it takes."""
        said = (self.info.upload_chunk_size, self.config.upload_chunk_size)
        return next((size for size in said if size is not None and size > 0), _DEFAULT_CHUNK_SIZE)


def open_guest_session(api: FileSenderApi) -> None:
    """Open the session of a guest who has none, or whose session the site has ended (section 10)."""
    access, auth = api.signer, api.signer.auth
    if not isinstance(auth, GuestAuth) or not (access.session_expired or auth.security_token is None):
        return
    answer = api.get_guest_page(auth.guest_token)
    auth.security_token = parse_guest_page(answer.secret_text).security_token
    # The first token of several: it stays valid as long as no newer one is used.
    cookies = [value for name, value in answer.cookies if name == "csrfptoken"]
    if access.session_expired or auth.csrf_token is None:
        auth.csrf_token = cookies[0] if cookies else None
    for secret in (auth.security_token, auth.csrf_token):
        redaction.register_secret(secret or "")
    access.session_expired = False
