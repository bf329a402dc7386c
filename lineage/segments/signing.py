"""Which checkpoints a machine puts its name to: those of logs that only append to what was signed before.

A key that signs whatever lies there would vouch for whoever changed the files
last. So a new checkpoint is signed if the one that it replaces bears a valid
signature, and the new log is consistent with it (RFC 6962, 2.1.2); the first, if
the log was empty. Everything else is left to a person: `lineage key sign`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import LineageError, Refused
from lineage.identity import Digest
from lineage.proofs import consistency, verify_consistency
from lineage.segments.checkpoints import Checkpoint, body_of, parse_checkpoint
from lineage.segments.notes import Signer, parse_verifier, signer_at, verified


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs here, and who may have signed.

    Parameters
    ----------
    key
        File of the key that signs checkpoints on this machine; None: nothing is signed.
    verifiers
        Public keys of all who may have signed, as ``name+id+key``.
    """

    key: Path | None = None
    verifiers: tuple[str, ...] = ()

    def signer(self, *, is_needed: bool = False) -> Signer | None:
        """Return the key that signs here, see `notes.signer_at`."""
        return signer_at(self.key, is_needed=is_needed)

    def is_signed(self, text: str) -> bool:
        """Tell whether a checkpoint bears a valid signature of this machine's key, or of one that is trusted."""
        own = self.signer()
        known = [parse_verifier(line) for line in self.verifiers]
        return bool(verified(text, [*known, *([] if own is None else [own.verifier])]).valid)

    def ready(self, text: str) -> None:
        """Refuse to go on where what comes next is to be signed and would not be.

        Parameters
        ----------
        text
            The checkpoint that stands, "" before the first.

        Raises
        ------
        BadInput
            ``signing-key``: the settings name a key that cannot be used here.
        Refused
            ``checkpoint-unsigned``: nobody who is trusted signed what stands.
        """
        if self.signer(is_needed=True) and text and not self.is_signed(text):
            raise Refused(
                "checkpoint-unsigned",
                "ledger/checkpoint bears no valid signature, and what follows it would be signed",
                hint="lineage audit tells what became of it; if all is well: lineage key sign",
            )

    def lines(self, text: str, checkpoint: Checkpoint, leaves: Sequence[Digest]) -> list[str]:
        """Return the lines that this machine puts under a new checkpoint.

        Parameters
        ----------
        text
            The checkpoint that it replaces, "" before the first.
        checkpoint
            The new one.
        leaves
            Of its log; none: they are not known, and nothing is signed.
        """
        signer = self.signer()
        if signer is None or not leaves or not self._follows(text, checkpoint, leaves):
            return []
        return [signer.line(body_of(checkpoint))]

    def _follows(self, text: str, checkpoint: Checkpoint, leaves: Sequence[Digest]) -> bool:
        if not text:
            return checkpoint.size == len(leaves) == 1
        try:
            before = parse_checkpoint(text.encode(), "")
        except LineageError:
            return False
        if not 1 <= before.size <= len(leaves) == checkpoint.size or not self.is_signed(text):
            return False
        roots = bytes.fromhex(before.root), bytes.fromhex(checkpoint.root)
        path = consistency(leaves, before.size)
        return verify_consistency(before.size, checkpoint.size, *roots, path)
