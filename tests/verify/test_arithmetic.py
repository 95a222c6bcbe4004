"""Canonical JSON, trees and signatures: against what RFC 6962 and RFC 8032 say, and against any change."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import assume, given
from hypothesis import strategies as st

from proctoring.verify.canonical import canonical
from proctoring.verify.merkle import Tree, actor_hash, leaf_hash, node_hash, personal_hash, seal_root
from proctoring.verify.signing import CONTEXT, is_signed

hashes = st.binary(min_size=32, max_size=32)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def root_of(leaves: list[bytes]) -> bytes:
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1: the left half is the largest power of two that is smaller than the whole."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + by_the_book(leaves[:half]) + by_the_book(leaves[half:])).digest()


class TestTree:
    @given(st.lists(hashes, min_size=1, max_size=70))
    def test_it_is_that_of_the_standard(self, leaves: list[bytes]) -> None:
        assert root_of(leaves) == by_the_book(leaves)

    @given(st.lists(hashes, min_size=1, max_size=40), st.data())
    def test_any_bit_changes_the_root(self, leaves: list[bytes], data: st.DataObject) -> None:
        before = root_of(leaves)
        index = data.draw(st.integers(0, len(leaves) - 1))
        bit = data.draw(st.integers(0, 255))
        changed = (int.from_bytes(leaves[index], "big") ^ (1 << bit)).to_bytes(32, "big")
        assert root_of([*leaves[:index], changed, *leaves[index + 1 :]]) != before

    @given(st.lists(hashes, min_size=2, max_size=40, unique=True), st.data())
    def test_so_does_one_more_one_less_and_another_order(self, leaves: list[bytes], data: st.DataObject) -> None:
        before = root_of(leaves)
        index = data.draw(st.integers(0, len(leaves) - 2))
        swapped = [*leaves[:index], leaves[index + 1], leaves[index], *leaves[index + 2 :]]
        assert before not in (root_of(leaves[:-1]), root_of([*leaves, leaves[-1]]), root_of(swapped))

    def test_nothing_has_no_root(self) -> None:
        with pytest.raises(ValueError, match="a leaf at least"):
            Tree().root()

    def test_a_vector(self) -> None:
        """Fixed for ever: another value would be another algorithm."""
        salt = bytes(range(16))
        inner = personal_hash(salt, {"b": "ü", "a": 1.5})
        assert inner == hashlib.sha256(b"\x02" + salt + '{"a":1.5,"b":"ü"}'.encode()).digest()
        leaf = leaf_hash({"id": 7}, inner)
        assert leaf == hashlib.sha256(b'\x00{"id":7}' + inner).digest()
        assert actor_hash(salt, "12") == hashlib.sha256(b"\x03" + salt + b"12").digest()
        tree = node_hash(node_hash(leaf, leaf), leaf)
        assert root_of([leaf] * 3) == tree
        assert seal_root({"number": 1}, tree).hex() == hashlib.sha256(b'\x04{"number":1}' + tree).hexdigest()

    def test_parts_have_their_length(self) -> None:
        for act in (
            lambda: personal_hash(b"short", {}),
            lambda: actor_hash(b"x" * 17, "1"),
            lambda: leaf_hash({}, b""),
            lambda: seal_root({}, b""),
            lambda: Tree().add(b""),
        ):
            with pytest.raises(ValueError, match="bytes instead of"):
                act()

    @given(st.dictionaries(st.text(), scalars), st.dictionaries(st.text(), scalars), hashes)
    def test_two_public_parts_have_two_leaves(self, one: Any, other: Any, inner: bytes) -> None:
        assume(canonical(one) != canonical(other))
        assert leaf_hash(one, inner) != leaf_hash(other, inner)


class TestCanonical:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (1.0, "1"),
            (-0.0, "0"),
            (1e16, "10000000000000000"),
            (10**16, "10000000000000000"),
            (1e-7, "0.0000001"),
            (0.1, "0.1"),
            (-12.50, "-12.5"),
            (Decimal("1.10"), "1.1"),
            (Decimal("1E+3"), "1000"),
            (True, "true"),
            (None, "null"),
            ('\u2028\x7f\x1f"\\/\b', '"\u2028\x7f\\u001f\\"\\\\/\\b"'),
            ({"b": [], "a": {}, "\uffff": 1, "😀": 2}, '{"a":{},"b":[],"\uffff":1,"😀":2}'),
            ([1, [2, {"x": [3]}], ()], '[1,[2,{"x":[3]}],[]]'),
        ],
    )
    def test_texts(self, value: Any, text: str) -> None:
        assert canonical(value).decode() == text

    @given(trees)
    def test_read_again_it_is_written_the_same(self, value: Any) -> None:
        assume(not _has_surrogates(value))
        text = canonical(value)
        assert canonical(json.loads(text)) == text
        assert canonical(json.loads(json.dumps(value))) == text
        assert canonical(json.loads(text, parse_float=Decimal)) == text

    @given(trees)
    def test_the_order_of_names_says_nothing(self, value: Any) -> None:
        assume(not _has_surrogates(value))
        assert canonical(_turned(value)) == canonical(value)

    @pytest.mark.parametrize(
        "value", [float("nan"), float("inf"), {1: 2}, {"a": b""}, object(), "\ud800", Decimal("NaN")]
    )
    def test_what_is_no_json(self, value: Any) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - whichever it says
            canonical(value)

    def test_depth_is_no_obstacle(self) -> None:
        deep: Any = 1
        for _ in range(100_000):
            deep = [deep]
        assert canonical(deep) == b"[" * 100_000 + b"1" + b"]" * 100_000


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(item) for item in value] if isinstance(value, list) else value


def _has_surrogates(value: Any) -> bool:
    try:
        canonical(value)
    except UnicodeEncodeError:
        return True
    return False


class TestSignature:
    @given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
    def test_it_is_that_of_the_library(self, seed: bytes, message: bytes, bit: int) -> None:
        private = Ed25519PrivateKey.from_private_bytes(seed)
        key = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        signature = private.sign(CONTEXT + message)
        assert is_signed(message, key=key, signature=signature)
        assert not is_signed(message + b"x", key=key, signature=signature)
        changed = (int.from_bytes(signature, "big") ^ (1 << bit)).to_bytes(64, "big")
        assert not is_signed(message, key=key, signature=changed)

    @pytest.mark.parametrize(
        ("key", "signature"),
        [
            (b"", b""),
            (b"\xff" * 32, b"\x00" * 64),
            (b"\x02" + b"\x00" * 31, b"\x00" * 64),
            (b"\x01" + b"\x00" * 30 + b"\x80", b"\x00" * 64),
            (b"\x58" + b"\x66" * 31, b"\xff" * 64),
            (b"\x58" + b"\x66" * 31, b"\x58" + b"\x66" * 31 + b"\xff" * 32),
        ],
    )
    def test_what_is_no_key_or_no_signature(self, key: bytes, signature: bytes) -> None:
        assert not is_signed(b"", key=key, signature=signature)
