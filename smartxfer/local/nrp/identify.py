"""Who asks: a bearer token, in the header or in the query. A token that nobody has makes a guest.

Source: NRP protocol, section 2.
"""

from smartxfer.local.nrp.call import Call
from smartxfer.local.nrp.people import GUEST, User

__all__ = ["identify"]


def identify(call: Call) -> User:
    """The user who makes a call; a guest where there is no token, or one that is not known."""
    scheme = call.header("authorization").partition(" ")[0].lower()
    token = call.request.bearer_token if scheme == "bearer" else call.query.get("access_token", "")
    user = call.backend.people.by_token(token.strip())
    return GUEST if user is None or user.name in call.backend.site.without_scope else user
