"""Encryption of uploads: password rules, encryption fields of the request, and encryptors for the chunks.

Source: FileSender protocol, section 9.
"""

import base64
import contextlib
import logging
import os
import re
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Union,
)

import attrs

from smartxfer.errors import UsageError
from smartxfer.filesender.encryption import ChunkCipher, Key, is_generated_password
from smartxfer.filesender.errors import FileSenderDecodeError, FileSenderWrongPassword
from smartxfer.filesender.site_address import SiteConfig
from smartxfer.secret_text import as_secret
from smartxfer.transfer.buffers import BufferPool
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.local_files import LocalFile
from smartxfer.transport import redaction

__all__ = [
    "Password",
    "UploadEncryption",
    "create_upload_encryption",
    "require_cryptography",
    "resolve_password",
    "validate_password",
]

log = logging.getLogger("smartxfer.filesender")

Password = Union[str, Callable[[], str], None]
"""A password, or a function that returns it."""

#: Key versions for uploads.  The web page cannot decrypt files written with key version 2.
_UPLOAD_KEY_VERSIONS = frozenset({0, 1, 3})
#: Smaller numbers of PBKDF2 iterations cause a warning.
_MIN_SAFE_ITERATIONS = 100_000
#: Defaults for settings that are missing in a site's configuration script.
_DEFAULT_KEY_VERSION, _DEFAULT_ITERATIONS, _DEFAULT_MIN_PASSWORD_LENGTH = 3, 4096000, 12
_SPECIAL_CHARACTER = re.compile(r"[^A-Za-z0-9\s]")


def require_cryptography() -> None:
    """Check that the package ``cryptography`` is installed.

    :raises UsageError: it is not.
    """
    try:
        import cryptography.hazmat.primitives.ciphers  # noqa: F401
    except ImportError:
        raise UsageError(
            "encrypted transfers need the package cryptography", hint="pip install 'smartxfer[crypto]'"
        ) from None


def resolve_password(password: Password) -> Optional[str]:
    """Return the password, calling a function for it, and register it for masking in all output.

    :raises UsageError: it is not text, is empty, or cannot be encoded in UTF-8.
    """
    text = as_secret(password() if callable(password) else password)
    if text is None:
        return None
    if not _is_encodable_text(text):
        raise UsageError(
            "invalid password: it must be non-empty text that can be encoded in UTF-8",
            hint="pass password=generate_password(), or another text",
        )
    return redaction.register_secret(text)


def _is_encodable_text(value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    # Do not try to encode it: the exception of the codec would contain the password.
    return not any("\ud800" <= character <= "\udfff" for character in value)


def validate_password(password: str, config: SiteConfig) -> None:
    """Check a password against the rules of the site's web page; generated passwords are always accepted.

    :raises UsageError: a rule is not met; the message has the rule, not the password.
    """
    if is_generated_password(password):
        return
    min_length = (
        _DEFAULT_MIN_PASSWORD_LENGTH
        if config.encryption_min_password_length is None
        else config.encryption_min_password_length
    )
    has_mixed_case = password.upper() != password != password.lower()
    rules = (
        (len(password) >= min_length, f"it is shorter than {min_length} characters"),
        (
            config.encryption_password_must_have_upper_and_lower_case is False or has_mixed_case,
            "it needs upper and lower case",
        ),
        (
            config.encryption_password_must_have_numbers is False or any(map(str.isdigit, password)),
            "it needs a digit",
        ),
        (
            config.encryption_password_must_have_special_characters is False
            or _SPECIAL_CHARACTER.search(password) is not None,
            "it needs a special character",
        ),
    )
    for is_met, problem in rules:
        if not is_met:
            raise UsageError(
                f"the site does not accept this password: {problem}",
                hint="use generate_password(), which every site accepts",
            )


@attrs.define
class UploadEncryption:
    """Encryption parameters and ciphers of one transfer.

    :param password: plain text; it is never shown or stored.
    :param iterations: of PBKDF2.
    :param chunk_size: the site's chunk size, because encryption requires it.
    :param base64_chunks: True to send encrypted chunks in base64.
    :param ciphers: cipher of each file, by its name.
    """

    password: str = attrs.field(repr=False)
    key_version: int
    iterations: int
    chunk_size: int
    base64_chunks: bool
    ciphers: Dict[str, ChunkCipher] = attrs.field(repr=False)
    _key: Optional[Key] = attrs.field(default=None, repr=False, init=False)
    _buffers: BufferPool = attrs.field(factory=BufferPool, repr=False, init=False)

    @classmethod
    def create(
        cls,
        password: str,
        local_files: Sequence[LocalFile],
        config: SiteConfig,
        chunk_size: Optional[int],
        key_version: Optional[int] = None,
    ) -> "UploadEncryption":
        """Return the encryption of files to be sent.

        :param key_version: None for the site's setting.
        :raises UsageError: the site disables encryption, the password is too weak, or the version is unknown.
        :raises DecodeError: the site does not publish its chunk size.
        """
        require_cryptography()
        if config.encryption_enabled is False:
            raise UsageError("the site does not accept encrypted transfers", hint="leave out password=")
        validate_password(password, config)
        if chunk_size is None:
            raise FileSenderDecodeError(
                "the site does not publish its chunk size, which encryption requires",
                hint="ask the site's administrator to publish upload_chunk_size",
            )
        version = key_version
        if version is None:
            version = config.encryption_key_version_new_files
        if version is None:
            version = _DEFAULT_KEY_VERSION
        if version not in _UPLOAD_KEY_VERSIONS:
            raise UsageError(f"key version {version} is not supported for uploads", hint="pass key_version=3")
        iterations = config.encryption_password_hash_iterations_new_files or _DEFAULT_ITERATIONS
        if version == 0 or iterations < _MIN_SAFE_ITERATIONS:
            log.warning("the site's key derivation is weak (few or no iterations): use a long password")
        ciphers = {file.name: ChunkCipher.new(version, file.size, chunk_size) for file in local_files}
        base64_chunks = bool(config.encryption_encode_encrypted_chunks_in_base64_during_upload)
        return cls(password, version, iterations, chunk_size, base64_chunks, ciphers)

    @property
    def password_version(self) -> int:
        """1 for text, 2 for a generated password."""
        return 2 if is_generated_password(self.password) else 1

    def add_to_request(self, body: Mapping[str, Any]) -> Dict[str, Any]:
        """Return the body of ``POST /transfer`` with the encryption fields added."""
        files: List[Dict[str, Any]] = []
        for file in body["files"]:
            cipher = self.ciphers[file["name"]]
            aead = base64.b64encode(cipher.aead.encode("ascii")).decode("ascii")
            files.append({**file, "iv": cipher.iv, "aead": aead})
        return {
            **body,
            "files": files,
            "options": {**body["options"], "encryption": True},
            "encryption": True,
            "encryption_key_version": self.key_version,
            "encryption_password_version": self.password_version,
            "encryption_password_encoding": "base64" if self.password_version == 2 else "none",
            "encryption_password_hash_iterations": self.iterations,
            "encryption_client_entropy": base64.b64encode(os.urandom(32)).decode("ascii"),
        }

    def derive_key(self, salt: Optional[str]) -> None:
        """Derive the key, which takes a second or two.

        :param salt: of the transfer.
        """
        self._key = Key.derive(
            self.password,
            version=self.key_version,
            password_version=self.password_version,
            salt=salt or "",
            iterations=self.iterations,
        )

    def get_resume_state(self, salt: Optional[str]) -> Dict[str, Any]:
        """Return the state that a later run needs to resume, without the key and the password."""
        assert self._key is not None
        return {
            "salt": salt,
            "check": self._key.fingerprint(salt or ""),
            "chunk_size": self.chunk_size,
            "ivs": {name: cipher.iv for name, cipher in self.ciphers.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Use the IVs, the chunk size and the salt of an earlier run.

        :param state: returned by :meth:`get_resume_state`.
        :raises WrongPassword: the earlier run used another password.
        """
        self.chunk_size = state["chunk_size"]
        self.ciphers = {
            name: ChunkCipher.new(self.key_version, cipher.size, self.chunk_size, state["ivs"][name])
            for name, cipher in self.ciphers.items()
        }
        self.derive_key(state["salt"])
        assert self._key is not None
        if self._key.fingerprint(state["salt"] or "") != state["check"]:
            raise FileSenderWrongPassword(
                "the earlier, unfinished upload of these files used another password",
                hint="pass that password, or start over with resume=False",
            )

    def create_part_encryptor(
        self, name: str
    ) -> Callable[[Part, Iterable[memoryview]], ContextManager[memoryview]]:
        """Return a function that encrypts a part of a file; its result is valid within the ``with`` block."""
        assert self._key is not None
        cipher = self.ciphers[name].with_key(self._key)

        @contextlib.contextmanager
        def encrypt_part(part: Part, blocks: Iterable[memoryview]) -> Iterator[memoryview]:
            with self._buffers.borrow(cipher.buffer_size(part.number)) as buffer:
                encryptor = cipher.create_encryptor(part.number, buffer)
                for block in blocks:
                    encryptor.update(block)
                ciphertext = encryptor.finalize()
                yield memoryview(base64.b64encode(ciphertext)) if self.base64_chunks else ciphertext

        return encrypt_part

    def ciphertext_length(self, name: str, part: Part) -> int:
        """Return the bytes of an encrypted part, before any base64 encoding."""
        return self.ciphers[name].ciphertext_length(part.number)


def create_upload_encryption(
    password: Password,
    local_files: Sequence[LocalFile],
    config: SiteConfig,
    chunk_size: Optional[int],
    key_version: Optional[int],
) -> Optional[UploadEncryption]:
    """Return the encryption of an upload; None without a password.

    :raises UsageError: ``key_version`` without a password.
    """
    text = resolve_password(password)
    if text is not None:
        return UploadEncryption.create(text, local_files, config, chunk_size, key_version)
    if key_version is not None:
        raise UsageError("key_version= requires password=", hint="pass password=, or leave out key_version=")
    return None
