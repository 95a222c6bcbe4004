"""``backends/``."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine

from proctoring.backends.base import Backend
from proctoring.inbox.models import MessageStatus
from proctoring.outbox.models import Circuit, DeliveryStatus
from tests.api.conftest import Person, refused
from tests.factories import TEN, DeliveryFactory, MessageFactory
from tests.hosts import configure


class Vendor(Backend):
    verbose_name = "A vendor"
    registers_attempts = True
    receives_webhooks = True


@pytest.fixture(autouse=True)
def _vendors(settings: Any) -> None:
    vendors = {"vendor": {"BACKEND": f"{__name__}.Vendor"}, "broken": {"BACKEND": "nowhere.Vendor"}}
    configure(settings, BACKENDS=vendors, DEFAULT_BACKEND="vendor")


@pytest.mark.parametrize("path", ["/backends/", "/backends/null/health/"])
def test_for_staff(nobody: Person, candidate: Person, proctor: Person, staff: Person, path: str) -> None:
    refused(nobody.get(path), 401, "not_authenticated")
    for other in (candidate, proctor):
        refused(other.get(path), 403, "permission_denied")
    assert staff.get(path).status_code == 200


def test_the_list_says_what_each_can_do(staff: Person) -> None:
    given = {one["alias"]: one for one in staff.get("/backends/").json()}
    assert {"null", "vendor", "broken"} <= set(given)
    vendor, broken = given["vendor"], given["broken"]
    assert (vendor["name"], vendor["default"], vendor["available"], vendor["problem"]) == ("A vendor", True, True, "")
    can = {name for name, able in vendor["capabilities"].items() if able}
    assert can == {"registers_attempts", "receives_webhooks", "signs_body"}
    assert (broken["available"], broken["capabilities"]) == (False, None)
    assert "nowhere" in broken["problem"]


@pytest.mark.parametrize("alias", ["nobody", "%00", "ünï", "null%2F"])
def test_an_alias_that_is_not_configured(staff: Person, alias: str) -> None:
    refused(staff.get(f"/backends/{alias}/health/"), 404, "not_found")


def test_health_of_a_vendor_that_was_never_called(staff: Person) -> None:
    body = staff.get("/backends/null/health/").json()
    assert body["circuit"] == {
        "state": "closed",
        "failures": 0,
        "open_until": None,
        "last_success_at": None,
        "last_error": "",
    }
    assert body["owed"] == {"due": 0, "failed": 0, "given_up": 0}
    assert body["webhooks"] == {
        "unverified": 0,
        "last_unverified_at": None,
        "waiting": 0,
        "failed": 0,
        "quarantined": 0,
        "last_received_at": None,
    }


def test_health_of_a_vendor_in_trouble(staff: Person) -> None:
    Circuit.objects.create(backend="vendor", failures=5, open_until=TEN, last_error="Timeout", unverified=3)
    for status in (DeliveryStatus.DUE, DeliveryStatus.DUE, DeliveryStatus.GIVEN_UP, DeliveryStatus.DONE):
        DeliveryFactory(status=status)
    MessageFactory(status=MessageStatus.QUARANTINED)
    with time_machine.travel(TEN, tick=False):
        body = staff.get("/backends/vendor/health/").json()
    assert (body["circuit"]["state"], body["circuit"]["last_error"]) == ("half_open", "Timeout")
    assert body["owed"] == {"due": 2, "failed": 0, "given_up": 1}
    assert (body["webhooks"]["unverified"], body["webhooks"]["quarantined"]) == (3, 1)
    assert body["webhooks"]["last_received_at"] == "2026-03-02T10:00:00Z"
