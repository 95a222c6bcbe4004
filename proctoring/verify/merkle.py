"""Leaves, trees and the chain of seals: SHA-256 with a prefix for each purpose, trees as in RFC 6962. Format 1.

No hash can be taken for one of another kind: the prefix says what it is of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from proctoring.verify.canonical import canonical

ALGORITHM = 1
"""The version of all that is here and in ``canonical``. Another one for whatever would change a root."""

SALT_BYTES = 16
HASH_BYTES = 32

_LEAF, _NODE, _PERSONAL, _ACTOR, _SEAL = b"\x00", b"\x01", b"\x02", b"\x03", b"\x04"


def personal_hash(salt: bytes, personal: Mapping[str, Any]) -> bytes:
    """What is left of the personal part when it is erased. Without the salt nobody can try out what it was."""
    _measure(salt, SALT_BYTES)
    return hashlib.sha256(_PERSONAL + salt + canonical(personal)).digest()


def actor_hash(salt: bytes, account: str) -> bytes:
    """Who acted, by the key of their account: what is left when the account goes."""
    _measure(salt, SALT_BYTES)
    return hashlib.sha256(_ACTOR + salt + account.encode()).digest()


def leaf_hash(public: Mapping[str, Any], inner: bytes) -> bytes:
    """Of an event. ``inner`` is its ``personal_hash``."""
    _measure(inner, HASH_BYTES)
    return hashlib.sha256(_LEAF + canonical(public) + inner).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


def seal_root(facts: Mapping[str, Any], tree: bytes) -> bytes:
    """Of a seal: over all that it says, the root before it included, and the tree of its events."""
    _measure(tree, HASH_BYTES)
    return hashlib.sha256(_SEAL + canonical(facts) + tree).digest()


class Tree:
    """RFC 6962's hash of a list, leaf by leaf: memory grows with the number's logarithm."""

    def __init__(self) -> None:
        self.count = 0
        self._whole: list[tuple[int, bytes]] = []
        """Trees of 2ⁿ leaves each, the largest first."""

    def add(self, leaf: bytes) -> None:
        _measure(leaf, HASH_BYTES)
        self.count += 1
        size, top = 1, leaf
        while self._whole and self._whole[-1][0] == size:
            top = node_hash(self._whole.pop()[1], top)
            size *= 2
        self._whole.append((size, top))

    def root(self) -> bytes:
        """Raises ``ValueError`` without a leaf: nothing is not sealed."""
        if not self._whole:
            raise ValueError("a tree has a leaf at least")
        top = self._whole[-1][1]
        for _size, left in reversed(self._whole[:-1]):
            top = node_hash(left, top)
        return top


def _measure(given: bytes, wanted: int) -> None:
    """Parts are joined without marks between them: each but one has a fixed length."""
    if len(given) != wanted:
        raise ValueError(f"{len(given)} bytes instead of {wanted}")
