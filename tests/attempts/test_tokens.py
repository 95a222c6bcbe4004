"""Access tokens: an LMS believes them without asking a database, so nothing but ours may pass."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings as django_settings
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from proctoring.attempts.access import decide
from proctoring.attempts.states import Status
from proctoring.attempts.tokens import ALGORITHM, AccessClaims, issue, key_id, verify_access_token
from proctoring.errors import NotPermitted
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

OLD, NEW, FOREIGN = ("old-key-" + "o" * 32, "new-key-" + "n" * 32, "foreign-" + "f" * 32)

CLAIMS = AccessClaims(
    user="7", course_id="course", content_id="content", attempt=11, reason="started", read_only=False,
    expires_at=TEN + timedelta(seconds=60),
)  # fmt: skip


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    configure(settings, ACCESS_TOKEN_KEYS=[NEW, OLD])


def payload(**changes: Any) -> dict[str, Any]:
    token = issue(CLAIMS, now=TEN)
    assert token
    return {**jwt.decode(token, NEW, algorithms=[ALGORITHM], options={"verify_exp": False}), **changes}


def signed(data: dict[str, Any], key: str = NEW, **headers: Any) -> str:
    return jwt.encode(data, key, algorithm=ALGORITHM, headers={"kid": key_id(key), **headers})


def refused(token: Any) -> bool:
    with pytest.raises(NotPermitted) as no:
        verify_access_token(token)
    assert no.value.code == "invalid_token"
    return True


@time_machine.travel(at(10, 0, 30), tick=False)
def test_a_token_says_who_may_see_what_and_is_believed_without_a_query(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    exam = ExamFactory()
    attempt = AttemptFactory(exam=exam, user=UserFactory(), status=Status.STARTED)
    with django_assert_num_queries(0):
        decision = decide(exam, attempt.user, attempt, at(10, 0, 30))
        claims = verify_access_token(decision.token or "")
    assert claims == AccessClaims(
        user=str(attempt.user.pk),
        course_id=exam.course_id,
        content_id=exam.content_id,
        attempt=attempt.pk,
        reason="started",
        read_only=False,
        expires_at=at(10, 1, 30),
    )


def test_a_token_is_good_until_it_expires() -> None:
    token = issue(CLAIMS, now=TEN)
    assert token
    with time_machine.travel(at(10, 0, 59), tick=False):
        assert verify_access_token(token) == CLAIMS
    with time_machine.travel(at(10, 1, 0), tick=False):
        assert refused(token)


@time_machine.travel(TEN, tick=False)
def test_keys_rotate_without_a_gap(settings: Any) -> None:
    token = issue(CLAIMS, now=TEN)
    assert token
    configure(settings, ACCESS_TOKEN_KEYS=["newest-" + "x" * 32, NEW])
    assert verify_access_token(token) == CLAIMS
    configure(settings, ACCESS_TOKEN_KEYS=["newest-" + "x" * 32])
    assert refused(token)
    configure(settings, ACCESS_TOKEN_KEYS=[])
    assert refused(token)


@time_machine.travel(TEN, tick=False)
def test_nothing_but_our_signature_is_believed() -> None:
    token = signed(payload())
    assert verify_access_token(token) == CLAIMS
    header, body, signature = token.split(".")
    forged = base64.urlsafe_b64encode(json.dumps(payload(sub="8")).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT", "kid": key_id(NEW)}).encode()).rstrip(b"=")
    wrong = [
        f"{header}.{forged}.{signature}",
        f"{header}.{body}.",
        f"{none.decode()}.{forged}.",
        f"{none.decode()}.{body}.{signature}",
        jwt.encode(payload(), NEW, algorithm="HS512", headers={"kid": key_id(NEW)}),
        jwt.encode(payload(), NEW, algorithm=ALGORITHM),
        signed(payload(), FOREIGN),
        signed(payload(), FOREIGN, kid=key_id(NEW)),
        signed(payload(), NEW, kid=key_id(FOREIGN)),
        signed(payload(), NEW, kid=key_id(OLD)),
        jwt.encode(payload(), django_settings.SECRET_KEY, algorithm=ALGORITHM, headers={"kid": key_id(NEW)}),
    ]
    assert all(refused(token) for token in wrong)


@time_machine.travel(TEN, tick=False)
@pytest.mark.parametrize("claim", ["iss", "sub", "exp", "course_id", "content_id", "attempt", "reason", "read_only"])
def test_a_token_that_lacks_a_claim_is_refused(claim: str) -> None:
    assert refused(signed({name: value for name, value in payload().items() if name != claim}))


@time_machine.travel(TEN, tick=False)
def test_a_token_of_another_issuer_is_refused() -> None:
    assert refused(signed(payload(iss="somebody else")))


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "é.ü.ß", "\ud800.x.y", "x" * 100_000, None, b"\xff.\xff.\xff", 7]
)
def test_nonsense_is_refused(token: Any) -> None:
    assert refused(token)


@given(st.text() | st.binary())
def test_no_input_makes_the_verifier_stumble(token: Any) -> None:
    assert refused(token)


def test_the_name_of_a_key_does_not_tell_the_key() -> None:
    assert key_id(NEW) not in NEW
    assert key_id(NEW) != key_id(OLD)
    assert len(key_id(NEW)) == 12
