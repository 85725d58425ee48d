"""Named values at rest."""

import base64
from collections.abc import Callable

import pytest

from gateway.catalog.loading import validate
from gateway.catalog.models import NamedValue, StoredNamedValue
from gateway.catalog.placeholders import Unresolved
from gateway.catalog.secrets import SecretBox, SecretFault, generate_secret_key, reveal, seal

OLD, NEW, FOREIGN = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3))
SECRET = "sk-very-secret"


def named_value(**fields: object) -> NamedValue:
    """A NamedValue called `key`."""
    return validate(NamedValue, {"name": "key", **fields})


def test_a_secret_comes_back_with_the_key() -> None:
    """And is not to be seen in what is stored."""
    box = SecretBox([OLD])
    sealed = box.encrypt(SECRET)
    assert SECRET not in sealed
    assert box.decrypt(sealed) == SECRET


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    """Rotation: a new key in front, then everything encrypted anew, then the old key away."""
    before = SecretBox([OLD]).encrypt(SECRET)
    both = SecretBox([NEW, OLD])
    assert both.decrypt(before) == SECRET
    assert not both.is_current(before)
    after = both.encrypt(SECRET)
    assert both.is_current(after)
    assert SecretBox([NEW]).decrypt(after) == SECRET


@pytest.mark.parametrize(
    "change", [lambda text: text[:-4] + "AAA=", lambda text: "", lambda text: "é", lambda text: SECRET]
)
def test_what_was_changed_or_is_foreign_is_refused(change: Callable[[str], str]) -> None:
    """The message names the setting and holds nothing of the text."""
    sealed = change(SecretBox([OLD]).encrypt(SECRET))
    with pytest.raises(SecretFault) as caught:
        SecretBox([OLD, FOREIGN]).decrypt(sealed)
    assert str(caught.value) == "cannot be decrypted with any key of GATEWAY_SECRET_KEY"


def test_without_a_key_secrets_are_refused() -> None:
    """Rather than stored in plain text."""
    with pytest.raises(SecretFault, match="needs the setting GATEWAY_SECRET_KEY"):
        SecretBox([]).encrypt(SECRET)
    assert not SecretBox([]).is_current("x")


def test_a_key_that_is_none_is_refused_without_being_repeated() -> None:
    """Settings check it too, but the box may be built elsewhere."""
    with pytest.raises(SecretFault) as caught:
        SecretBox(["not-a-key"]).encrypt(SECRET)
    assert "not-a-key" not in str(caught.value)


def test_a_made_key_works() -> None:
    """`python -m gateway secret-key` prints one."""
    box = SecretBox([generate_secret_key()])
    assert box.decrypt(box.encrypt(SECRET)) == SECRET


def test_sealing_takes_the_secret_away() -> None:
    """What is stored has the encrypted value only; what is shown has neither."""
    box = SecretBox([OLD])
    stored = seal(named_value(value=SECRET, displayName="Key"), box)
    assert stored.to_json() == {
        "kind": "NamedValue",
        "name": "key",
        "displayName": "Key",
        "encryptedValue": stored.encrypted_value,
    }
    assert stored.public().to_json() == {"kind": "NamedValue", "name": "key", "displayName": "Key"}
    assert reveal(stored, box, {}) == SECRET


def test_what_is_no_secret_stays_readable() -> None:
    """A value that is not secret, and the name of an app setting, need no key to be stored."""
    plain = seal(named_value(value="westeurope", secret=False), SecretBox([]))
    assert plain.public().value == "westeurope"
    setting = seal(named_value(value="{{env:KEY}}"), SecretBox([]))
    assert setting.public().value == "{{env:KEY}}"
    assert reveal(setting, SecretBox([]), {"KEY": "from-setting"}) == "from-setting"


def test_a_value_that_cannot_be_had_is_said_so() -> None:
    """A setting that is not set, a value never given."""
    with pytest.raises(Unresolved, match="the app setting KEY is not set"):
        reveal(named_value(value="{{env:KEY}}"), SecretBox([]), {})
    with pytest.raises(Unresolved, match="has no value yet"):
        reveal(named_value(), SecretBox([]), {})


def test_secrets_are_not_in_any_representation() -> None:
    """What is logged by accident must not tell."""
    given = named_value(value=SECRET)
    stored = seal(given, SecretBox([OLD]))
    assert SECRET not in repr(given) + str(given)
    assert str(stored.encrypted_value) not in repr(stored) + str(stored)


def test_a_plain_secret_cannot_pass_for_a_stored_one() -> None:
    """The stored form refuses to hold it."""
    with pytest.raises(ValueError, match="must be stored encrypted") as caught:
        StoredNamedValue.model_validate({"name": "key", "value": SECRET})
    assert SECRET not in str(caught.value)
