"""Signed notes (C2SP signed-note): the lines under a checkpoint, and the keys that write and read them.

A note is a text, a blank line, and a line for each signature: an em dash, the
name of a key, and in base64 the key's id (4 bytes) and the signature of the text
with its last line feed. A key's id is the start of SHA-256 over its name, a line
feed, and its public half behind a byte for the algorithm, 1 for ed25519. Keys are
one line of text each, as Go's checksum database writes them. The only place that
knows ``cryptography``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import BadInput

_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "
_PRIVATE = "PRIVATE+KEY+"
_ID_BYTES = 4
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a key.

    Parameters
    ----------
    name
        Whose key it is; stands in every signature.
    public
        The 32 bytes of an ed25519 public key.
    """

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names this key."""
        text = self.name.encode() + b"\n" + _ED25519 + self.public
        return hashlib.sha256(text).digest()[:_ID_BYTES]

    @property
    def text(self) -> str:
        """The line that others are given: name, id and key."""
        key = base64.b64encode(_ED25519 + self.public).decode("ascii")
        return f"{self.name}+{self.id.hex()}+{key}"


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key.

    Parameters
    ----------
    name
        Whose key it is.
    seed
        The 32 bytes from which ed25519 derives it.
    """

    name: str
    seed: bytes

    def __repr__(self) -> str:
        # a key that stands in a traceback is a key that is lost
        return f"Signer(name={self.name!r})"

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        return Verifier(self.name, key.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """The line that the key's file holds."""
        key = base64.b64encode(_ED25519 + self.seed).decode("ascii")
        return f"{_PRIVATE}{self.name}+{self.verifier.id.hex()}+{key}"

    def line(self, body: str) -> str:
        """Return the line that signs a text, which ends in a line feed."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(body.encode())
        stamp = base64.b64encode(self.verifier.id + signature).decode("ascii")
        return f"{_DASH}{self.name} {stamp}"


@dataclass(frozen=True, slots=True)
class Signatures:
    """What the lines under a note are worth.

    Parameters
    ----------
    valid
        Names of known keys that signed this text, each once.
    invalid
        Lines in the name and id of a known key that do not hold for this text, and lines of no form.
    unknown
        Lines of keys that nobody named to us.
    """

    valid: tuple[str, ...]
    invalid: tuple[str, ...]
    unknown: tuple[str, ...]


def is_key_name(name: str) -> bool:
    """Tell whether a key may be called so: something, without spaces and plus signs."""
    return re.fullmatch(r"[^\s+\x00-\x1f\x7f]+", name) is not None


def parse_verifier(text: str) -> Verifier:
    """Read the public half of a key, ``name+id+key``.

    Raises
    ------
    BadInput
        ``verifier-key``: it has another form, or its id belongs to another key.

    Examples
    --------
    >>> parse_verifier("Test-Betty+df84580a+AQQASqPUZoIHcJAF5mBOryctwFdTV1E0GRY4kEAtTzwB").name
    'Test-Betty'
    """
    name, key_id, key = (*text.split("+", 2), "", "")[:3]
    public = _key_of(key)
    if public is None or not is_key_name(name) or Verifier(name, public).id.hex() != key_id:
        raise BadInput(
            "verifier-key",
            f"{text[:100]!r} is no public key, expected NAME+ID+KEY of ed25519",
            hint="whoever signs prints it with: lineage key show",
        )
    return Verifier(name, public)


def parse_signer(text: str, where: str) -> Signer:
    """Read the line of a key's file.

    Raises
    ------
    BadInput
        ``signing-key``: it has another form. What stands there is not told: it may be most of a key.
    """
    name, key_id, key = (*text.strip().removeprefix(_PRIVATE).split("+", 2), "", "")[:3]
    seed = _key_of(key) if text.startswith(_PRIVATE) and is_key_name(name) else None
    if seed is None or Signer(name, seed).verifier.id.hex() != key_id:
        raise BadInput(
            "signing-key",
            "expected one line PRIVATE+KEY+NAME+ID+KEY of an ed25519 key",
            hint="bring the file back, or move it away and make another with: lineage key create",
            where=where,
        )
    return Signer(name, seed)


def signer_at(path: Path | None, *, is_needed: bool = False) -> Signer | None:
    """Return the key of a file, None where none is named, or the one that is named is not on this machine.

    Parameters
    ----------
    path
        The file, as the settings name it.
    is_needed
        Refuse to go on without the one that is named: what comes is to be signed.

    Raises
    ------
    BadInput
        ``signing-key``: the file is needed and not there, cannot be read, or holds no key.
    """
    if path is None or not (is_needed or path.exists()):
        return None
    try:
        return parse_signer(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInput(
            "signing-key",
            f"the settings name a key to sign with, and it cannot be read: {exc}",
            hint="a key of this machine's own: lineage key create; unsigned: take signing_key out of "
            ".lineage/config.toml",
            where=str(path),
        ) from exc


def split_note(text: str) -> tuple[str, list[str]]:
    """Return a note's text, with its last line feed, and the lines that sign it."""
    body, gap, signatures = text.rpartition("\n\n")
    return (body + "\n", signatures.splitlines()) if gap else (text, [])


def joined(body: str, lines: Sequence[str]) -> str:
    """Return the note of a text and the lines that sign it; without any, the text alone."""
    return body + "\n" + "".join(f"{line}\n" for line in lines) if lines else body


def key_of(line: str) -> tuple[str, bytes] | None:
    """Return the name and id of the key that a line says it is of, None for a line of no form."""
    found = _read(line)
    return None if found is None else found[:2]


def verified(text: str, verifiers: Sequence[Verifier]) -> Signatures:
    """Tell what the signatures of a note are worth.

    Parameters
    ----------
    text
        The note.
    verifiers
        Keys that are trusted.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
    body, lines = split_note(text)
    valid: list[str] = []
    invalid, unknown = [], []
    for line in lines:
        found = _read(line)
        if found is None:
            invalid.append(line)
            continue
        name, key_id, signature = found
        verifier = known.get((name, key_id))
        if verifier is None:
            unknown.append(line)
            continue
        try:
            Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature, body.encode())
        except InvalidSignature:
            invalid.append(line)
            continue
        if name not in valid:
            valid.append(name)
    return Signatures(tuple(valid), tuple(invalid), tuple(unknown))


def _read(line: str) -> tuple[str, bytes, bytes] | None:
    name, _, stamp = line.removeprefix(_DASH).partition(" ")
    content = _decoded(stamp)
    if not line.startswith(_DASH) or not is_key_name(name) or len(content) <= _ID_BYTES:
        return None
    return name, content[:_ID_BYTES], content[_ID_BYTES:]


def _key_of(text: str) -> bytes | None:
    content = _decoded(text)
    is_whole = content[:1] == _ED25519 and len(content) == 1 + _KEY_BYTES
    return content[1:] if is_whole else None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
