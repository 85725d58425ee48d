"""Named values at rest: a secret is encrypted before it is stored, and nobody can read it back through the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gateway.catalog.models import NamedValue, StoredNamedValue
from gateway.catalog.placeholders import Unresolved, read_setting, setting_in

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class SecretFault(Exception):
    """A secret cannot be encrypted or decrypted. The message never holds it."""


class SecretBox:
    """Encrypts with the first key and decrypts with any (Fernet: AES-128-CBC with HMAC-SHA-256)."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._cipher: MultiFernet | None = None

    def encrypt(self, text: str) -> str:
        """The text sealed; raise SecretFault if there is no usable key."""
        return self._multi_fernet().encrypt(text.encode()).decode()

    def decrypt(self, sealed: str) -> str:
        """The text of a sealed one; raise SecretFault if none of the keys made it, or somebody changed it."""
        from cryptography.fernet import InvalidToken

        try:
            return self._multi_fernet().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise SecretFault("cannot be decrypted with any key of GATEWAY_SECRET_KEY") from error

    def is_current(self, sealed: str) -> bool:
        """Whether the first key made it. What an older one made must be encrypted anew before that one is removed."""
        from cryptography.fernet import Fernet, InvalidToken

        if not self._keys:
            return False
        try:
            Fernet(self._keys[0]).decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def _multi_fernet(self) -> MultiFernet:
        if self._cipher is None:
            from cryptography.fernet import Fernet, MultiFernet

            if not self._keys:
                raise SecretFault("needs the setting GATEWAY_SECRET_KEY to be encrypted and decrypted")
            try:
                self._cipher = MultiFernet([Fernet(key) for key in self._keys])
            except ValueError as error:
                raise SecretFault("GATEWAY_SECRET_KEY holds a key that is not 32 bytes in URL-safe base64") from error
        return self._cipher


def generate_secret_key() -> str:
    """A key for GATEWAY_SECRET_KEY."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def seal(named_value: NamedValue, secrets: SecretBox) -> StoredNamedValue:
    """The form in which it may be stored; raise SecretFault if it must be encrypted and cannot be."""
    fields = named_value.to_json()
    fields.pop("kind")
    if named_value.holds_secret and named_value.value is not None:
        fields["encryptedValue"] = secrets.encrypt(named_value.value)
        del fields["value"]
    return StoredNamedValue.model_validate(fields)


def reveal(named_value: NamedValue, secrets: SecretBox, environment: Mapping[str, str]) -> str:
    """The plain value; raise SecretFault or Unresolved if it cannot be had."""
    if isinstance(named_value, StoredNamedValue) and named_value.encrypted_value is not None:
        return secrets.decrypt(named_value.encrypted_value)
    if named_value.value is None:
        raise Unresolved("has no value yet")
    setting = setting_in(named_value.value)
    return read_setting(setting, environment) if setting else named_value.value
