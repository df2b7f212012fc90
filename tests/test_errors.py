"""The tree of exceptions: their base classes, their attributes, and pickling."""

from __future__ import annotations

import copy
import errno
import inspect
import pickle
from typing import Any, Dict, List, Type

import pytest

from smartxfer import errors
from smartxfer.errors import SmartxferError
from smartxfer.transfer.result import FileResult

CLASSES: List[Type[SmartxferError]] = [
    found for found in vars(errors).values() if inspect.isclass(found) and issubclass(found, SmartxferError)
]

#: name: (parent, built-in that old scripts catch)
TREE: Dict[str, Any] = {
    "UsageError": ("SmartxferError", ValueError), "ConfigError": ("SmartxferError", ValueError),
    "CredentialError": ("SmartxferError", None), "CommunicationError": ("SmartxferError", None),
    "NetworkError": ("CommunicationError", None), "ConnectTimeout": ("NetworkError", None),
    "ReadTimeout": ("NetworkError", None), "Stalled": ("NetworkError", None),
    "Truncated": ("NetworkError", None), "TLSError": ("NetworkError", None),
    "ProxyError": ("NetworkError", None), "DecodeError": ("CommunicationError", None),
    "NotAnHTTPServer": ("DecodeError", None), "RedirectRefused": ("CommunicationError", None),
    "OutcomeUnknown": ("CommunicationError", None), "HTTPError": ("CommunicationError", None),
    "UnexpectedResponse": ("HTTPError", None), "ClientError": ("HTTPError", None),
    "BadRequest": ("ClientError", None), "LimitExceeded": ("ClientError", None),
    "AuthError": ("ClientError", None), "Forbidden": ("AuthError", None), "NotFound": ("ClientError", None),
    "Conflict": ("ClientError", None), "TooLarge": ("ClientError", None),
    "Unsupported": ("ClientError", None), "StorageError": ("HTTPError", None),
    "ReviewRequired": ("ClientError", None), "RateLimited": ("ClientError", None),
    "Throttled": ("RateLimited", None), "ServerError": ("HTTPError", None),
    "Maintenance": ("ServerError", None), "IntegrityError": ("SmartxferError", None),
    "ChecksumMismatch": ("IntegrityError", None), "SizeMismatch": ("IntegrityError", None),
    "RangeMismatch": ("IntegrityError", None), "UploadRejected": ("IntegrityError", None),
    "UploadNotStored": ("UploadRejected", None), "SourceChanged": ("IntegrityError", None),
    "WrongPassword": ("IntegrityError", None), "DeltaError": ("IntegrityError", None),
    "LocalError": ("SmartxferError", OSError), "LibrsyncNotFound": ("LocalError", OSError),
    "LocalNotFound": ("LocalError", FileNotFoundError),
    "LocalPermissionError": ("LocalError", PermissionError), "DiskFull": ("LocalError", OSError),
    "UnsafeName": ("LocalError", ValueError), "TargetExists": ("LocalError", FileExistsError),
    "AlreadyInProgress": ("LocalError", OSError), "Cancelled": ("SmartxferError", None),
    "DeadlineExceeded": ("SmartxferError", None), "WaitTimeout": ("SmartxferError", None),
    "TaskFailed": ("SmartxferError", None), "TaskSuspended": ("SmartxferError", None),
    "UploadFailed": ("SmartxferError", None), "UploadPendingElsewhere": ("SmartxferError", None),
    "InvalidDraft": ("SmartxferError", None), "BatchError": ("SmartxferError", None),
    "PasswordRequired": ("SmartxferError", None),
}


def test_the_tree_is_all_there_is() -> None:
    assert {found.__name__ for found in CLASSES} == {"SmartxferError", *TREE}
    assert set(errors.__all__) == {"SmartxferError", *TREE}


@pytest.mark.parametrize("name", TREE)
def test_parents(name: str) -> None:
    found, (parent, builtin) = getattr(errors, name), TREE[name]
    assert found.__bases__[0] is getattr(errors, parent)
    if builtin is not None:
        assert issubclass(found, builtin)
    # A local file, and nothing else.
    assert issubclass(found, OSError) == issubclass(found, errors.LocalError)
    assert issubclass(found, FileNotFoundError) == (name == "LocalNotFound")
    assert (found.__doc__ or "").strip()


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_pickles_with_all_that_it_carries(kind: Type[SmartxferError]) -> None:
    carried = {"status": 404, "code": "c", "details": {"a": [1]}, "got": 1, "expected": 2, "retry_after": 1.5}
    error = kind("what happened", hint="what to do", retryable=not kind.retryable, **carried)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is kind
        assert again.__dict__ == error.__dict__
        assert str(again) == str(error) == "what happened (what to do)"
        assert again.args == error.args
    assert copy.copy(error).__dict__ == error.__dict__


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_has_its_defaults(kind: Type[SmartxferError]) -> None:
    error = kind("what happened")
    assert error.summary == "what happened"
    assert error.hint == kind.hint
    assert str(error) == (f"what happened ({kind.hint})" if kind.hint else "what happened")
    assert str(kind()) == (f" ({kind.hint})" if kind.hint else "")
    assert str(pickle.loads(pickle.dumps(kind()))) == str(kind())


def test_the_number_of_the_operating_system_survives() -> None:
    assert errors.DiskFull("full").errno is None
    error = errors.DiskFull("full", errno=errno.ENOSPC)
    again = pickle.loads(pickle.dumps(error))
    assert again.errno == errno.ENOSPC
    assert again.__dict__ == error.__dict__


def test_a_batch_carries_every_result() -> None:
    results = [FileResult("a"), FileResult("b", error=errors.NotFound("gone", status=404))]
    error = pickle.loads(pickle.dumps(errors.BatchError("1 of 2", results=results)))
    assert [result.name for result in error.results] == ["a", "b"]
    assert [one.status for one in error.errors] == [404]


RETRYABLE = {
    "NetworkError", "ConnectTimeout", "ReadTimeout", "Stalled", "Truncated", "RateLimited", "ServerError",
    "Maintenance", "Throttled",
}
NOT_ACTED_ON = {"ConnectTimeout", "TLSError", "ProxyError", "RateLimited", "Throttled"}


@pytest.mark.parametrize("kind", CLASSES)
def test_what_may_be_tried_again(kind: Type[SmartxferError]) -> None:
    assert kind.retryable is (kind.__name__ in RETRYABLE)
    assert kind.may_have_been_processed is (kind.__name__ not in NOT_ACTED_ON)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("TLSError", "verify="), ("ProxyError", "proxies="), ("SourceChanged", "run again"),
        ("DiskFull", "is resumed"), ("AlreadyInProgress", "wait"),
    ],
)
def test_hints_name_the_remedy(name: str, word: str) -> None:
    assert word in getattr(errors, name).hint
