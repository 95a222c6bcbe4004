"""Several attempts at once in the admin: the question before, the results after, and the way back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.invigilation.actions import Action, Wish
from proctoring.invigilation.bulk import record_bulk_action
from proctoring.invigilation.choosing import choose_named
from proctoring.invigilation.models import BulkAction
from proctoring.monitoring.models import Command
from tests.invigilation.doing import killed_after

from .conftest import HOSTILE, LIST, NOISE, errors, make_bulk_action, say, take, together, told

BULKS = "admin:proctoring_bulkaction_changelist"


def page_of(bulk: BulkAction, page: str = "change") -> str:
    return reverse(f"admin:proctoring_bulkaction_{page}", args=(bulk.pk,))


def table(response: Any) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in response.context["tables"][0].rows]


@pytest.mark.parametrize("action", ["pause", "extend", "message", "flag", "reload", "terminate", "void"])
def test_a_question_then_one_record_with_everybodys_result(
    boss_client: Client, boss: User, make_attempt: Callable[..., Attempt], action: str
) -> None:
    attempts = [make_attempt(), make_attempt()]
    question = boss_client.post(reverse(LIST), together(action, *attempts, reason=""))
    assert "This field is required." in errors(question)
    assert not BulkAction.objects.exists()
    response = boss_client.post(reverse(LIST), together(action, *attempts), follow=True)
    bulk = BulkAction.objects.get()
    assert response.request["PATH_INFO"] == page_of(bulk)
    assert (bulk.action, bulk.by, bulk.reason_code, bulk.comment) == (action, boss, NOISE, "fire alarm")
    assert [row[1:] for row in table(response)] == [["Done", ""], ["Done", ""]]
    assert all(str(one.user) in response.content.decode() for one in attempts)


def test_what_was_refused_says_why_in_words(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    running, paused = make_attempt(), make_attempt("paused")
    response = boss_client.post(reverse(LIST), together("pause", running, paused), follow=True)
    assert sorted(row[1:] for row in table(response)) == [
        ["Done", ""],
        ["Refused", "Its status did not allow it."],
    ]
    assert ("Results", "1 done, 1 refused") in response.context["summary"]


def test_undoing_asks_why_and_says_what_came_of_it(
    boss_client: Client, boss: User, make_attempt: Callable[..., Attempt]
) -> None:
    attempts = [make_attempt(), make_attempt()]
    boss_client.post(reverse(LIST), together("pause", *attempts))
    bulk = BulkAction.objects.get()
    assert page_of(bulk, "undo") in boss_client.get(page_of(bulk)).content.decode()
    question = boss_client.get(page_of(bulk, "undo"))
    assert 'name="comment"' in question.content.decode()
    assert "This field is required." in errors(boss_client.post(page_of(bulk, "undo"), say(reason=" ")))
    take(boss_client, attempts[0], "resume")
    response = boss_client.post(page_of(bulk, "undo"), say(), follow=True)
    assert told(response)[-1] == "Taken back for 1 of 2 attempts."
    assert sorted(row[3:] for row in table(response)) == [
        ["Done", ""],
        ["Refused", "The attempt is no longer as this action left it."],
    ]
    assert set(Attempt.objects.values_list("status", flat=True)) == {"started"}
    bulk.refresh_from_db()
    assert (bulk.undone_by, bulk.undo_comment) == (boss, "fire alarm")
    assert page_of(bulk, "undo") not in response.content.decode()
    assert "undone already" in errors(boss_client.post(page_of(bulk, "undo"), say()))


def test_one_that_was_cut_off_goes_on_by_a_button(
    boss_client: Client, boss: User, make_attempt: Callable[..., Attempt]
) -> None:
    attempts = [make_attempt(), make_attempt()]
    choice = choose_named([one.pk for one in attempts], by=boss)
    bulk = record_bulk_action(choice, Wish(action=Action.PAUSE, reason_code=NOISE, comment="fire alarm"), by=boss)
    assert page_of(bulk, "go-on") in boss_client.get(page_of(bulk)).content.decode()
    assert boss_client.get(page_of(bulk, "go-on")).status_code == 405
    response = boss_client.post(page_of(bulk, "go-on"), follow=True)
    assert [row[1] for row in table(response)] == ["Done", "Done"]
    assert page_of(bulk, "go-on") not in response.content.decode()


def test_an_undoing_that_was_cut_off_goes_on(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    boss_client.post(reverse(LIST), together("pause", make_attempt(), make_attempt()))
    bulk = BulkAction.objects.get()
    boss_client.post(page_of(bulk, "undo"), say())
    item = bulk.items.all()[0]
    take(boss_client, item.attempt, "pause")
    bulk.items.filter(pk=item.pk).update(undo_result="", at=Attempt.objects.get(pk=item.attempt_id).paused_at)
    assert "Go on undoing" in boss_client.get(page_of(bulk)).content.decode()
    response = boss_client.post(page_of(bulk, "undo"), say(), follow=True)
    assert told(response)[-1] == "Taken back for 2 of 2 attempts."
    assert "Go on undoing" not in response.content.decode()


class TestUnderAtomicRequests:
    """What is committed before the worker dies was in no transaction of the whole request."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture(autouse=True)
    def _atomic(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    def statuses(self) -> list[str]:
        return sorted(Attempt.objects.values_list("status", flat=True))

    def test_each_attempt_has_a_transaction_of_its_own(
        self, boss_client: Client, make_attempt: Callable[..., Attempt]
    ) -> None:
        first, second = attempts = [make_attempt(), make_attempt()]
        # The list shows the newest first.
        with killed_after(second), pytest.raises(KeyboardInterrupt):
            boss_client.post(reverse(LIST), together("pause", *attempts))
        assert self.statuses() == ["paused", "started"]
        bulk = BulkAction.objects.get()
        with killed_after(first), pytest.raises(KeyboardInterrupt):
            boss_client.post(page_of(bulk, "go-on"))
        assert self.statuses() == ["paused", "paused"]
        with killed_after(second), pytest.raises(KeyboardInterrupt):
            boss_client.post(page_of(bulk, "undo"), say())
        assert self.statuses() == ["paused", "started"]


def test_what_cannot_be_taken_back_offers_no_button(boss_client: Client, attempt: Attempt) -> None:
    bulk = make_bulk_action(attempt)
    assert page_of(bulk, "undo") not in boss_client.get(page_of(bulk)).content.decode()


def test_what_others_wrote_is_only_text(boss_client: Client, attempt: Attempt) -> None:
    bulk = make_bulk_action(attempt, comment=HOSTILE, text=HOSTILE, filter={"search": HOSTILE})
    for address in (page_of(bulk), reverse(BULKS)):
        assert "<script>alert" not in boss_client.get(address).content.decode()


def test_the_list_is_read_and_nothing_of_it_changed(
    as_person: Callable[..., Client], attempt: Attempt, exam: Exam
) -> None:
    bulk = make_bulk_action(attempt)
    for role in ("staff", "invigilator"):
        person = as_person(f"{role}-of-algebra")
        listed = person.get(reverse(BULKS))
        assert [row.pk for row in listed.context["cl"].result_list] == [bulk.pk]
        assert "1 done, 1 refused" in listed.content.decode()
        assert person.post(page_of(bulk), {"comment": "x"}).status_code == 403
        assert person.post(page_of(bulk, "delete"), {"post": "yes"}).status_code == 403
    assert as_person("reviewer-of-algebra").get(reverse(BULKS)).status_code == 403
    assert as_person("staff-of-botany").get(page_of(bulk, "undo")).status_code == 404
    assert as_person("staff-of-botany").post(page_of(bulk, "go-on")).status_code == 404


def test_a_list_costs_the_same_whatever_is_in_it(
    boss_client: Client, make_attempt: Callable[..., Attempt], django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        make_bulk_action(make_attempt())
        with django_assert_num_queries(4):
            boss_client.get(reverse(BULKS))


def test_a_message_from_the_attempts_own_page(boss_client: Client, boss: User, attempt: Attempt) -> None:
    assert take(boss_client, attempt, "message").status_code == 302
    sent = Command.objects.get()
    assert (sent.kind, sent.text, sent.by) == ("message", "Please sit down.", boss)
    for step in ("flag", "reload"):
        assert take(boss_client, attempt, step).status_code == 302
    assert "at most 1000 characters" in errors(take(boss_client, attempt, "message", text="x" * 1001))
