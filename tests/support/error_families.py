"""The errors of each service, and what one of them has to be."""

from __future__ import annotations

import copy
import importlib
import pickle
from typing import Any, Dict, Type

from smartxfer import errors
from smartxfer.error_families import ErrorFamily

MODULES = {
    name: importlib.import_module(f"smartxfer.{name}.errors")
    for name in ("filesender", "smartfile", "nrp", "perseus", "jetstream")
}
FAMILIES: Dict[str, ErrorFamily] = {name: module.ERRORS for name, module in MODULES.items()}
ROOTS = {
    "filesender": "FileSenderError",
    "smartfile": "APIError",
    "nrp": "RepositoryError",
    "perseus": "PerseusException",
    "jetstream": "JetStreamError",
}
#: What the vendors call some of them, and what each is besides.
NAMES = {
    ("smartfile", "RequestError"): errors.NetworkError,
    ("smartfile", "ResponseError"): errors.HTTPError,
    ("nrp", "RepositoryCommunicationError"): errors.CommunicationError,
    ("nrp", "RepositoryClientError"): errors.ClientError,
    ("nrp", "RepositoryServerError"): errors.ServerError,
    ("nrp", "RepositoryNetworkError"): errors.NetworkError,
    ("nrp", "RepositoryForbiddenError"): errors.Forbidden,
    ("nrp", "RepositoryNotFoundError"): errors.NotFound,
    ("perseus", "APIException"): errors.HTTPError,
    ("perseus", "ConfigurationException"): errors.CredentialError,
}


def belongs(error: Any, name: str, generic: Type[BaseException]) -> None:
    """Check that an error is the generic one and the service's, and no other service's."""
    assert isinstance(error, generic), repr(error)
    assert [other for other, family in FAMILIES.items() if isinstance(error, family.root)] == [name], repr(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.hint) == (type(error), str(error), error.hint)
    assert type(copy.copy(error)) is type(error)
