"""``users/{id}/erase/`` and ``users/{id}/export/``: who may, what they get, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.privacy import certificates
from proctoring.privacy.holds import place_hold
from proctoring.privacy.models import DeletionCertificate
from tests.api.conftest import Person, refused
from tests.factories import TEN, AttemptFactory, UserFactory
from tests.hosts import configure

WHY = {"reason": "Ada has asked for it"}


@pytest.fixture
def officer(superuser: Person) -> Person:
    """Nobody but the host makes privacy officers; in the tests' host a permission for all courses does."""
    return superuser


@pytest.fixture
def ended(exam: Exam, candidate: Person) -> Attempt:
    return AttemptFactory(exam=exam, user=candidate.user, status=Status.SUBMITTED)


class TestErasure:
    def test_a_privacy_officer_gets_the_certificate(self, officer: Person, candidate: Person, ended: Attempt) -> None:
        answer = officer.post(f"/users/{candidate.user.pk}/erase/", WHY)
        assert answer.status_code == 200, answer.content
        body = answer.json()
        certified = {"id", "kind", "subject", "reason", "counts", "unclear", "vendors", "made_at", "digest"}
        assert set(body) == {*certified, "unclear_places"}
        certificate = DeletionCertificate.objects.get(pk=body["id"])
        assert (body["digest"], body["counts"]["attempt"]) == (certificate.digest, 1)
        assert certificates.verify(certificate)
        assert certificate.made_by == officer.user
        ended.refresh_from_db()
        assert ended.full_name == ""

    def test_asked_again_it_answers_the_same(self, officer: Person, candidate: Person, ended: Attempt) -> None:
        first, second = (officer.post(f"/users/{candidate.user.pk}/erase/", WHY).json() for _ in range(2))
        assert first == second

    def test_a_word_that_may_mean_the_person_is_left_and_told_until_it_is_decided_about(
        self, officer: Person, exam: Exam
    ) -> None:
        bo = UserFactory(username="bo", first_name="Bo", last_name="Li")
        entry = TimeEntry.objects.create(
            attempt=AttemptFactory(exam=exam), kind="correction", seconds=0, note="saw Bo", at=TEN
        )
        body = officer.post(f"/users/{bo.pk}/erase/", WHY).json()
        assert body["unclear"] == {"timeentry": 1}
        assert body["unclear_places"] == [{"model": "timeentry", "key": entry.pk, "field": "note"}]
        body = officer.post(f"/users/{bo.pk}/erase/", {**WHY, "also": ["Bo"]}).json()
        assert (body["counts"], body["unclear"], body["unclear_places"]) == ({"timeentry": 1}, {}, [])

    @pytest.mark.parametrize("also", [["B"], [""], "Bo", ["x" * 101], ["Bo"] * 21, [None]])
    def test_with_words_that_are_none_nothing_happens(self, also: Any, officer: Person, candidate: Person) -> None:
        assert officer.post(f"/users/{candidate.user.pk}/erase/", {**WHY, "also": also}).status_code == 400
        assert not DeletionCertificate.objects.exists()

    @pytest.mark.parametrize("who", ["staff", "proctor", "reviewer", "candidate"])
    def test_nobody_else_may_not_even_the_person(
        self, who: str, request: pytest.FixtureRequest, candidate: Person, ended: Attempt
    ) -> None:
        somebody = request.getfixturevalue(who)
        refused(somebody.post(f"/users/{candidate.user.pk}/erase/", WHY), 403, "permission_denied")
        assert not DeletionCertificate.objects.exists()

    def test_an_officer_of_one_course_is_none(self, person: Any, candidate: Person, ended: Attempt) -> None:
        refused(person(Role.PRIVACY_OFFICER).post(f"/users/{candidate.user.pk}/erase/", WHY), 403, "permission_denied")

    def test_the_anonymous_are_asked_to_log_in_before_anything_else(self, nobody: Person) -> None:
        refused(nobody.post("/users/999999/erase/", {}), 401, "not_authenticated")

    @pytest.mark.parametrize("key", ["999999", "0", "x", "1e3", "99999999999999999999"])
    def test_a_person_who_is_not_there_is_not_found(self, key: str, candidate: Person) -> None:
        refused(candidate.post(f"/users/{key}/erase/", {}), 404, "not_found")

    @pytest.mark.parametrize("body", [None, {}])
    def test_whoever_says_no_reason_has_asked_through_the_api(
        self, body: Any, officer: Person, candidate: Person
    ) -> None:
        answer = officer.post(f"/users/{candidate.user.pk}/erase/", body)
        assert (answer.status_code, answer.json()["reason"]) == (200, "Asked for through the API.")

    @pytest.mark.parametrize("body", [{"reason": ""}, {"reason": " "}, {"reason": None}, {"reason": "x" * 4001}, []])
    def test_with_a_reason_that_is_none_nothing_happens(self, body: Any, officer: Person, candidate: Person) -> None:
        assert officer.post(f"/users/{candidate.user.pk}/erase/", body).status_code == 400
        assert not DeletionCertificate.objects.exists()

    def test_an_open_attempt_is_a_conflict(self, officer: Person, candidate: Person, attempt: Attempt) -> None:
        refused(officer.post(f"/users/{candidate.user.pk}/erase/", WHY), 409, "attempt_open")

    def test_a_legal_hold_is_a_conflict(self, officer: Person, candidate: Person, ended: Attempt) -> None:
        place_hold(user=candidate.user, by=officer.user, reason="a case")
        refused(officer.post(f"/users/{candidate.user.pk}/erase/", WHY), 409, "legal_hold")

    def test_without_keys_it_says_so(self, officer: Person, candidate: Person, settings: Any) -> None:
        configure(settings, PSEUDONYM_KEYS=[])
        refused(officer.post(f"/users/{candidate.user.pk}/erase/", WHY), 503, "not_configured")


class TestExport:
    def test_an_officer_downloads_what_is_kept(self, officer: Person, candidate: Person, ended: Attempt) -> None:
        answer = officer.get(f"/users/{candidate.user.pk}/export/")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="proctoring-{candidate.user.pk}.json"'
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.streaming
        document = json.loads(answer.getvalue())
        assert [one["id"] for one in document["attempts"]] == [ended.pk]

    def test_everybody_reads_what_is_kept_about_themselves(self, candidate: Person, ended: Attempt) -> None:
        document = json.loads(candidate.get(f"/users/{candidate.user.pk}/export/").getvalue())
        assert document["person"]["id"] == candidate.user.pk

    @pytest.mark.parametrize("who", ["staff", "proctor", "reviewer", "neighbour"])
    def test_and_nobody_elses(self, who: str, request: pytest.FixtureRequest, candidate: Person) -> None:
        refused(request.getfixturevalue(who).get(f"/users/{candidate.user.pk}/export/"), 403, "permission_denied")

    def test_not_even_with_a_key_that_looks_like_ones_own(self, candidate: Person) -> None:
        UserFactory()
        refused(candidate.get(f"/users/{candidate.user.pk}.0/export/"), 404, "not_found")

    def test_the_anonymous_and_the_unknown(self, nobody: Person, officer: Person) -> None:
        refused(nobody.get("/users/1/export/"), 401, "not_authenticated")
        refused(officer.get("/users/999999/export/"), 404, "not_found")
