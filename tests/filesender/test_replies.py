"""Errors for the messages of a site. Source: FileSender protocol, section 2.1."""

from __future__ import annotations

from typing import Dict, List, Type

import pytest

from smartxfer import errors
from smartxfer.filesender.error_codes import ERROR_TABLE

#: Words of the protocol by the error that they are, and by the status that they come with.
WORDS: Dict[Type[errors.HTTPError], Dict[int, List[str]]] = {
    errors.AuthError: {
        500: [
            "auth_remote_too_late", "auth_remote_signature_check_failed", "auth_remote_user_rejected",
            "guest_expired",
        ],
        403: ["rest_authentication_required"],
        400: ["rest_security_token_did_not_match", "rest_xsrf_token_did_not_match"],
    },
    errors.Forbidden: {403: ["rest_ownership_required", "rest_admin_required", "rest_roundtrip_token_invalid"]},
    errors.BadRequest: {
        400: [
            "rest_sanity_check_failed", "rest_bad_parameter", "rest_missing_parameter",
            "rest_endpoint_missing",
        ],
        501: ["rest_endpoint_not_implemented", "rest_method_not_implemented"],
        405: ["rest_method_not_allowed"],
        500: [
            "token_has_bad_format", "file_chunk_out_of_bounds", "transfer_no_files",
            "transfer_no_recipients", "bad_email", "checksum validation failed",
        ],
    },
    errors.NotFound: {
        404: ["rest_unknown_principal", "rest_data_stale"],
        500: ["transfer_not_found", "file_not_found", "recipient_not_found", "guest_not_found"],
    },
    errors.Conflict: {
        400: ["cannot_add_data_to_complete_transfer"],
        403: ["cannot_alter_closed_transfer"],
        500: ["file_integrity_check_failed", "transfer_files_incomplete"],
    },
    errors.Maintenance: {503: ["undergoing_maintenance"]},
    errors.LimitExceeded: {
        500: [
            "storage_chunk_too_large", "transfer_too_many_files", "transfer_too_many_recipients",
            "transfer_maximum_size_exceeded", "transfer_maximum_file_size_exceeded",
            "transfer_maximum_encrypted_file_size_exceeded", "transfer_user_quota_exceeded",
            "transfer_host_quota_exceeded", "transfer_file_name_invalid", "file_extension_not_allowed",
            "transfer_must_be_encrypted", "transfer_rejected", "bad_expire",
            "transfer_expiry_extension_not_allowed", "storage_not_enough_space_left",
            "guest_rate_limit_reached", "rate_limit_exceeded",
        ],
    },
    errors.ServerError: {500: ["failed_to_connect_to_database", "database_access_failure"]},
}
#: Words after which the same request is sent again.
AGAIN = {
    "auth_remote_too_late", "rest_sanity_check_failed", "undergoing_maintenance", "failed_to_connect_to_database",
    "checksum validation failed",
}


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [(kind, status, word) for kind, rows in WORDS.items() for status, words in rows.items() for word in words],
)
def test_every_word_of_the_protocol(kind: Type[errors.HTTPError], status: int, word: str) -> None:
    found = ERROR_TABLE.find_error_kwargs(status, word)
    assert (found["kind"], found["retryable"]) == (kind, word in AGAIN)


@pytest.mark.parametrize("status", [500, 503, 403, 400])
def test_the_word_counts_and_not_the_status(status: int) -> None:
    assert issubclass(ERROR_TABLE.find_error_kwargs(status, "transfer_not_found")["kind"], errors.ClientError)


def test_an_unknown_word_is_not_said_again() -> None:
    means = ERROR_TABLE.find_error_kwargs(500, "something_new")
    assert (means["kind"], means["retryable"]) == (errors.ServerError, False)
    assert "administrator" in means["hint"]


@pytest.mark.parametrize(("status", "word"), [(500, ""), (502, ""), (503, "new"), (429, ""), (404, "new"), (413, "")])
def test_without_a_known_word_the_status_decides(status: int, word: str) -> None:
    assert ERROR_TABLE.find_error_kwargs(status, word) == {}


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("auth_remote_too_late", "delay"),
        ("auth_remote_signature_check_failed", "signing_host"),
        ("storage_chunk_too_large", "chunk_size"),
        ("rate_limit_exceeded", "tomorrow"),
        ("bad_email", "recipients"),
        ("bad_expire", "expires"),
    ],
)
def test_the_remedy_is_named(word: str, remedy: str) -> None:
    assert remedy in ERROR_TABLE.find_error_kwargs(500, word)["hint"]
