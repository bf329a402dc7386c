"""The keys that sign checkpoints: one is made for this machine, and all are shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lineage.activities.context import CONFIG, Project
from lineage.errors import BadInput, Refused
from lineage.segments import write_synced
from lineage.segments.notes import Signer, is_key_name, parse_verifier, verified
from lineage.segments.signing import Signing
from lineage.settings import with_key

KEY_FILE = ".lineage/checkpoint.key"
"""Where a key stands unless the settings name another file; nothing there is tracked by Git."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made.

    Parameters
    ----------
    name
        Stands in every signature.
    verifier
        The public half, for everybody.
    path
        File of the private half, relative to the project where it lies inside.
    is_signed
        Whether the present checkpoint was signed with it; false before the first activity.
    """

    name: str
    verifier: str
    path: str
    is_signed: bool


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key of the settings.

    Parameters
    ----------
    name, verifier
        As in `NewKey`.
    signs_here
        Whether this machine has the private half.
    has_signed
        Whether the present checkpoint bears its valid signature.
    """

    name: str
    verifier: str
    signs_here: bool
    has_signed: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """Who signs, and what the signatures of the present checkpoint are worth.

    Parameters
    ----------
    signing_key
        File of the key that signs here, as the settings name it; None: nothing is signed here.
    is_here
        Whether that file is on this machine.
    keys
        The public keys of the settings.
    n_invalid, n_unknown
        Signatures of the checkpoint that do not hold, and those of keys that the settings do not name.
    """

    signing_key: str | None
    is_here: bool
    keys: tuple[KnownKey, ...]
    n_invalid: int
    n_unknown: int


def create(project: Project, *, name: str | None = None) -> NewKey:
    """Make a key for this machine, name it in the settings, and sign the present checkpoint.

    Parameters
    ----------
    project
        An open project.
    name
        Of the key; the log's origin by default.

    Raises
    ------
    Refused
        ``key-exists``: this machine has one.
    BadInput
        ``key-name``: the name is empty, or holds spaces or plus signs.
    """
    told = project.settings.signing_key or KEY_FILE
    path = project.root / told
    if path.exists():
        raise Refused(
            "key-exists",
            f"there is a key at {told}, and a key is never overwritten",
            hint="lineage key show; to put another in its place, move the file away first",
        )
    wanted = project.settings.origin if name is None else name
    if not is_key_name(wanted):
        raise BadInput(
            "key-name",
            f"{wanted!r} is no name for a key, expected a word without spaces and plus signs",
            hint="lineage key create --name NAME",
        )
    signer = Signer(wanted, project.entropy(32))
    config = project.root / CONFIG
    settings = with_key(config.read_text("utf-8"), told, signer.verifier.text)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, signer.text + "\n", mode=0o600)
    _write(config, settings, mode=config.stat().st_mode & 0o777)
    project.ledger.signing = Signing(path, (signer.verifier.text, *project.settings.verifiers))
    return NewKey(wanted, signer.verifier.text, told, project.ledger.sign_checkpoint())


def sign(project: Project) -> bool:
    """Sign the present checkpoint with this machine's key, and tell whether that was lacking.

    Raises
    ------
    BadInput
        ``signing-key``: the settings name none, or one that cannot be used.
    """
    if project.settings.signing_key is None:
        raise BadInput(
            "signing-key",
            "the settings name no key to sign with",
            hint="make one for this machine with: lineage key create",
        )
    return project.ledger.sign_checkpoint()


def show(project: Project) -> Keys:
    """Return the keys of the settings, and which of them signed the present checkpoint.

    Raises
    ------
    BadInput
        ``verifier-key`` or ``signing-key``: one of them is no key.
    """
    signer = project.ledger.signing.signer()
    text = project.ledger.checkpoint_text()
    keys = []
    for line in project.settings.verifiers:
        verifier = parse_verifier(line)
        signs_here = signer is not None and signer.verifier == verifier
        has_signed = bool(verified(text, [verifier]).valid)
        keys.append(KnownKey(verifier.name, line, signs_here, has_signed))
    found = verified(text, [parse_verifier(key.verifier) for key in keys])
    return Keys(
        project.settings.signing_key,
        signer is not None,
        tuple(keys),
        len(found.invalid),
        len(found.unknown),
    )


def _write(path: Path, text: str, *, mode: int) -> None:
    aside = path.with_name(path.name + ".new")
    # never readable by others, not even for the moment in which it is written
    aside.touch(mode=mode)
    aside.chmod(mode)
    write_synced(aside, text.encode())
    aside.replace(path)
