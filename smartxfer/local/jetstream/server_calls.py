"""Calls to the server itself: login, rights, information, and small things.

Source: JetStream protocol, sections 3, 5.1 and 6.
"""

import hmac
import socket
from typing import Any, Dict

from smartxfer.local.jetstream import manifests
from smartxfer.local.jetstream.call import Call
from smartxfer.local.jetstream.people import is_wrangler
from smartxfer.local.jetstream.receiving import LISTED
from smartxfer.local.jsonrpc import RpcError

__all__ = [
    "auth", "collect_garbage", "echo", "info", "licenses", "sleep", "superuser", "terminate", "wrangler",
]  # fmt: skip

#: What the server says of its version.
VERSION = "2.9.0-loopback"
LICENSES = "This is a loopback server for tests. It contains Werkzeug (BSD-3-Clause) and attrs (MIT).\n"


def auth(call: Call) -> None:
    """``auth``: log in.

    :raises RpcError: AuthenticationFailed.
    """
    user, password = call.text("user"), call.text("password")
    known = call.backend.passwords.get(user)
    good = hmac.compare_digest((known or "").encode(), password.encode())
    if known is None or not good:
        raise RpcError("AuthenticationFailed", "the user name or the password is wrong")
    call.person.become_user(user)


def superuser(call: Call) -> None:
    """``superuser``: take the rights of a superuser.

    :raises RpcError: PermissionDenied.
    """
    user = _user(call)
    if not call.backend.site.may_be_superuser(user):
        raise RpcError("PermissionDenied", f"{user} may not be superuser")
    call.person.superuser = call.person.wrangler = True


def wrangler(call: Call) -> None:
    """``wrangler``: take the right to see and change what others have.

    :raises RpcError: PermissionDenied.
    """
    user = _user(call)
    if not is_wrangler(call.backend, user):
        raise RpcError("PermissionDenied", f"{user} may not be wrangler")
    call.person.wrangler = True


def _user(call: Call) -> str:
    """Who is logged in by name and password."""
    if call.person.user is None or call.person.token is not None:
        raise RpcError("PermissionDenied", "only users have such rights")
    return call.person.user


def info(call: Call) -> Dict[str, Any]:
    """``getServerInfo``: what the server is; its configuration for superusers only."""
    backend = call.backend
    site = backend.site
    shown = {
        "serverId": backend.server_id,
        "serverUid": backend.server_uid,
        "serverName": site.server_name or backend.title,
        "serverExternalAddress": None,
        "hostName": socket.gethostname(),
        "version": VERSION,
        "apiVersion": site.api_version,
        "revision": "loopback",
        "apiControlPort": backend.port,
        "allowRemoteControl": False,
        "authRequired": site.auth_required,
        "APITokensAvailable": site.allow_api_tokens,
        "sharedTokensAvailable": site.allow_shared_tokens,
        "encryptionAvailable": False,
        "multiplexAvailable": False,
        "eventLogAvailable": True,
        "certificateValidation": None,
        "minCipher": None,
        "publicKey": backend.public_key,
        "bandwidthLimits": backend.setting("bandwidth_limits") or {},
        "license": {"licensed": backend.licensed},
        "receiver": {
            "port": backend.port,
            "onlyAuthorizedClientsAllowed": bool(backend.setting("only_authorized")),
        },
    }
    if call.person.superuser:
        shown["configuration"] = {
            "root": backend.root,
            "rate": site.rate,
            "users": list(site.users),
            "superusers": [name for name in site.users if site.may_be_superuser(name)],
            "afterRestart": site.after_restart,
            "waitCeilingSeconds": site.wait_ceiling,
        }
    return shown


def licenses(call: Call) -> str:
    """``getThirdPartyLicenses``: texts of licences."""
    return LICENSES


def echo(call: Call) -> str:
    """``echo``: the same text."""
    return call.text("text")


def sleep(call: Call) -> None:
    """``sleep``: wait, no longer than the server lives."""
    call.backend.stopping.wait((call.whole("milliseconds") or 0) / 1000)


def collect_garbage(call: Call) -> None:
    """``garbageCollect``: forget what is deleted, expired or over."""
    backend = call.backend
    with backend.lock:
        now = backend.micros()
        manifests.clean(backend)
        database = backend.database
        database.run("DELETE FROM tokens WHERE expires<=?", now)
        database.run("DELETE FROM received WHERE status!='receiving' AND last_recv<?", now - LISTED)
        database.run("DELETE FROM transfers WHERE deleted")
        database.run(
            "DELETE FROM destinations WHERE deleted AND id NOT IN (SELECT destination FROM transfers)"
        )


def terminate(call: Call) -> None:
    """``terminate``: end the server once this is answered."""
    call.backend.terminate()
