"""An encrypted transfer on its way up: what is announced of it, and what seals its chunks.

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
"""A password, or a function that asks for it."""

#: Key versions that files are encrypted by: what 2 writes, the web page cannot read.
_UPLOAD_KEY_VERSIONS = frozenset({0, 1, 3})
#: Rounds of PBKDF2 below this are worth a warning.
_MIN_SAFE_ITERATIONS = 100_000
#: What holds where a site's script says nothing of it.
_DEFAULT_KEY_VERSION, _DEFAULT_ITERATIONS, _DEFAULT_MIN_PASSWORD_LENGTH = 3, 4096000, 12
_SPECIAL_CHARACTER = re.compile(r"[^A-Za-z0-9\s]")


def require_cryptography() -> None:
    """See that the package is there that does the arithmetic.

    :raises UsageError: it is not.
    """
    try:
        import cryptography.hazmat.primitives.ciphers  # noqa: F401
    except ImportError:
        raise UsageError(
            "encrypted transfers need the package cryptography", hint="pip install 'smartxfer[crypto]'"
        ) from None


def resolve_password(password: Password) -> Optional[str]:
    """The password, asked for where a function was given; it is masked wherever we write.

    :raises UsageError: it is no text.
    """
    found = as_secret(password() if callable(password) else password)
    if found is None:
        return None
    if not _is_encodable_text(found):
        raise UsageError(
            "a password is text that is not empty, and can be written in UTF-8",
            hint="pass password=generate_password(), or a text of your own",
        )
    return redaction.register_secret(found)


def _is_encodable_text(value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    # Not by an exception of the codec, which holds the password.
    return not any("\ud800" <= character <= "\udfff" for character in value)


def validate_password(password: str, config: SiteConfig) -> None:
    """Check a password against the site's rules, which its web page applies; generated ones pass.

    :raises UsageError: the first rule that it breaks; the password itself is not told.
    """
    if is_generated_password(password):
        return
    least = (
        _DEFAULT_MIN_PASSWORD_LENGTH
        if config.encryption_min_password_length is None
        else config.encryption_min_password_length
    )
    both = config.encryption_password_must_have_upper_and_lower_case
    rules = (
        (len(password) >= least, f"it is shorter than {least} characters"),
        (both is False or password.upper() != password != password.lower(), "it needs upper and lower case"),
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
    for good, why in rules:
        if not good:
            raise UsageError(
                f"the site does not take this password: {why}",
                hint="generate_password() makes one that every site takes",
            )


@attrs.define
class UploadEncryption:
    """How one transfer is encrypted.

    :param password: in clear; shown and written nowhere.
    :param version: key version.
    :param rounds: of PBKDF2.
    :param chunk_size: the site's own: a smaller one cannot be encrypted.
    :param base64_chunks: whether chunks go up in base64.
    :param files: chunks of each file, by its name.
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
        """That of files to be sent.

        :param key_version: key version; by default what the site asks for.
        :raises UsageError: the site does not encrypt, the password is too weak, or the version is not known.
        """
        require_cryptography()
        if config.encryption_enabled is False:
            raise UsageError("the site takes no encrypted transfers", hint="leave out the password")
        validate_password(password, config)
        if chunk_size is None:
            raise FileSenderDecodeError("the site does not tell its chunk size")
        told = config.encryption_key_version_new_files
        chosen = key_version if key_version is not None else _DEFAULT_KEY_VERSION if told is None else told
        if chosen not in _UPLOAD_KEY_VERSIONS:
            raise UsageError(f"key version {chosen} is not known to be written", hint="use key_version=3")
        rounds = config.encryption_password_hash_iterations_new_files or _DEFAULT_ITERATIONS
        if chosen == 0 or rounds < _MIN_SAFE_ITERATIONS:
            log.warning("the site's encryption hardly stretches the password: choose a long one")
        files = {item.name: ChunkCipher.new(chosen, item.size, chunk_size) for item in local_files}
        as_text = bool(config.encryption_encode_encrypted_chunks_in_base64_during_upload)
        return cls(password, chosen, rounds, chunk_size, as_text, files)

    @property
    def password_version(self) -> int:
        """1 for text, 2 for a generated password."""
        return 2 if is_generated_password(self.password) else 1

    def add_to_request(self, body: Mapping[str, Any]) -> Dict[str, Any]:
        """The body of ``POST /transfer`` with what it says of the encryption."""
        files: List[Dict[str, Any]] = []
        for file in body["files"]:
            chunks = self.ciphers[file["name"]]
            aead = base64.b64encode(chunks.aead.encode("ascii")).decode("ascii")
            files.append({**file, "iv": chunks.iv, "aead": aead})
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

        :param salt: the transfer's.
        """
        self._key = Key.derive(
            self.password,
            version=self.key_version,
            password_version=self.password_version,
            salt=salt or "",
            iterations=self.iterations,
        )

    def get_resume_state(self, salt: Optional[str]) -> Dict[str, Any]:
        """What a later run needs to go on: no key, and no password."""
        assert self._key is not None
        return {
            "salt": salt,
            "check": self._key.fingerprint(salt or ""),
            "chunk_size": self.chunk_size,
            "ivs": {name: chunks.iv for name, chunks in self.ciphers.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on as an earlier run began.

        :param state: what :meth:`remembered` returned.
        :raises WrongPassword: that run was given another password.
        """
        self.chunk_size = state["chunk_size"]
        self.ciphers = {
            name: ChunkCipher.new(self.key_version, chunks.size, self.chunk_size, state["ivs"][name])
            for name, chunks in self.ciphers.items()
        }
        self.derive_key(state["salt"])
        assert self._key is not None
        if self._key.fingerprint(state["salt"] or "") != state["check"]:
            raise FileSenderWrongPassword(
                "the earlier, unfinished upload of these files was given another password",
                hint="give that one, or begin anew with resume=False",
            )

    def create_part_encryptor(
        self, name: str
    ) -> Callable[[Part, Iterable[memoryview]], ContextManager[memoryview]]:
        """Return a function that encrypts the parts of a file, each into a buffer that is lent for it."""
        assert self._key is not None
        chunks = self.ciphers[name].with_key(self._key)

        @contextlib.contextmanager
        def seal(part: Part, pieces: Iterable[memoryview]) -> Iterator[memoryview]:
            with self._buffers.borrow(chunks.buffer_size(part.number)) as room:
                sealer = chunks.create_encryptor(part.number, room)
                for piece in pieces:
                    sealer.update(piece)
                sealed = sealer.finalize()
                yield memoryview(base64.b64encode(sealed)) if self.base64_chunks else sealed

        return seal

    def ciphertext_length(self, name: str, part: Part) -> int:
        """Bytes of a sealed part, whatever it travels as."""
        return self.ciphers[name].ciphertext_length(part.number)


def create_upload_encryption(
    password: Optional[str],
    local_files: Sequence[LocalFile],
    config: SiteConfig,
    chunk_size: Optional[int],
    key_version: Optional[int],
) -> Optional[UploadEncryption]:
    """Return what encrypts the files of an upload; None without a password.

    :raises UsageError: ``key_version`` without a password.
    """
    if password is not None:
        return UploadEncryption.create(password, local_files, config, chunk_size, key_version)
    if key_version is not None:
        raise UsageError("key_version is for encrypted transfers", hint="give password=")
    return None
