"""Errors for the messages of a site. Source: FileSender protocol, section 2.1."""

from __future__ import annotations

from typing import Type

import pytest

from smartxfer.errors import (
    AuthError,
    BadRequest,
    ClientError,
    Conflict,
    Forbidden,
    HTTPError,
    LimitExceeded,
    Maintenance,
    NotFound,
    ServerError,
)
from smartxfer.filesender.error_codes import ERROR_TABLE


@pytest.mark.parametrize(
    ("status", "word", "kind", "again"),
    [
        (500, "auth_remote_too_late", AuthError, True),
        (500, "auth_remote_signature_check_failed", AuthError, False),
        (500, "auth_remote_user_rejected", AuthError, False),
        (403, "rest_authentication_required", AuthError, False),
        (403, "rest_ownership_required", Forbidden, False),
        (403, "rest_admin_required", Forbidden, False),
        (400, "rest_security_token_did_not_match", AuthError, False),
        (400, "rest_xsrf_token_did_not_match", AuthError, False),
        (403, "rest_roundtrip_token_invalid", Forbidden, False),
        (400, "rest_sanity_check_failed", BadRequest, True),
        (400, "rest_bad_parameter", BadRequest, False),
        (400, "rest_missing_parameter", BadRequest, False),
        (400, "rest_endpoint_missing", BadRequest, False),
        (501, "rest_endpoint_not_implemented", BadRequest, False),
        (501, "rest_method_not_implemented", BadRequest, False),
        (405, "rest_method_not_allowed", BadRequest, False),
        (404, "rest_unknown_principal", NotFound, False),
        (404, "rest_data_stale", NotFound, False),
        (400, "cannot_add_data_to_complete_transfer", Conflict, False),
        (403, "cannot_alter_closed_transfer", Conflict, False),
        (503, "undergoing_maintenance", Maintenance, True),
        (500, "transfer_not_found", NotFound, False),
        (500, "file_not_found", NotFound, False),
        (500, "recipient_not_found", NotFound, False),
        (500, "guest_not_found", NotFound, False),
        (500, "guest_expired", AuthError, False),
        (500, "token_has_bad_format", BadRequest, False),
        (500, "file_chunk_out_of_bounds", BadRequest, False),
        (500, "storage_chunk_too_large", LimitExceeded, False),
        (500, "file_integrity_check_failed", Conflict, False),
        (500, "transfer_files_incomplete", Conflict, False),
        (500, "transfer_no_files", BadRequest, False),
        (500, "transfer_no_recipients", BadRequest, False),
        (500, "transfer_too_many_files", LimitExceeded, False),
        (500, "transfer_too_many_recipients", LimitExceeded, False),
        (500, "transfer_maximum_size_exceeded", LimitExceeded, False),
        (500, "transfer_maximum_file_size_exceeded", LimitExceeded, False),
        (500, "transfer_maximum_encrypted_file_size_exceeded", LimitExceeded, False),
        (500, "transfer_user_quota_exceeded", LimitExceeded, False),
        (500, "transfer_host_quota_exceeded", LimitExceeded, False),
        (500, "transfer_file_name_invalid", LimitExceeded, False),
        (500, "file_extension_not_allowed", LimitExceeded, False),
        (500, "transfer_must_be_encrypted", LimitExceeded, False),
        (500, "transfer_rejected", LimitExceeded, False),
        (500, "bad_email", BadRequest, False),
        (500, "bad_expire", LimitExceeded, False),
        (500, "transfer_expiry_extension_not_allowed", LimitExceeded, False),
        (500, "storage_not_enough_space_left", LimitExceeded, False),
        (500, "guest_rate_limit_reached", LimitExceeded, False),
        (500, "rate_limit_exceeded", LimitExceeded, False),
        (500, "failed_to_connect_to_database", ServerError, True),
        (500, "checksum validation failed", BadRequest, True),
        (500, "database_access_failure", ServerError, False),
    ],
)
def test_every_word_of_the_protocol(status: int, word: str, kind: Type[HTTPError], again: bool) -> None:
    found = ERROR_TABLE.find_error_kwargs(status, word)
    assert found["kind"] is kind
    assert found["retryable"] is again


@pytest.mark.parametrize("status", [500, 503, 403, 400])
def test_the_word_counts_and_not_the_status(status: int) -> None:
    assert issubclass(ERROR_TABLE.find_error_kwargs(status, "transfer_not_found")["kind"], ClientError)


def test_an_unknown_word_is_not_said_again() -> None:
    means = ERROR_TABLE.find_error_kwargs(500, "something_new")
    assert (means["kind"], means["retryable"]) == (ServerError, False)
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
