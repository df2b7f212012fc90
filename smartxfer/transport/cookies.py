"""Cookie jar of limited size, because servers reject requests with too long header lines."""

from http.cookiejar import Cookie
from typing import Any, List

from requests.cookies import RequestsCookieJar

__all__ = ["BoundedCookieJar"]

#: Maximum characters of all cookies; servers accept header lines of 8 KiB.
_MAX_COOKIE_CHARS = 7000


class BoundedCookieJar(RequestsCookieJar):
    """A cookie jar that drops its oldest cookies if all cookies together are too long."""

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        """Store a cookie, unless it is too long by itself."""
        if _cookie_size(cookie) > _MAX_COOKIE_CHARS:
            return
        super().set_cookie(cookie, *args, **kwargs)
        stored: List[Any] = list(self)  # a jar iterates over its cookies, contrary to its type annotation
        excess = sum(map(_cookie_size, stored)) - _MAX_COOKIE_CHARS
        for old in stored:
            if excess <= 0:
                return
            if (old.domain, old.path, old.name) != (cookie.domain, cookie.path, cookie.name):
                self.clear(old.domain, old.path, old.name)
                excess -= _cookie_size(old)


def _cookie_size(cookie: Cookie) -> int:
    return len(cookie.name) + len(cookie.value or "") + len("=; ")
