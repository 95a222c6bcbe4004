"""Which account is meant: an integer is an id, a string a user name, else an e-mail address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import IntegerField
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from proctoring.errors import RuleBroken

if TYPE_CHECKING:
    from proctoring.host import User

MAX_ID = 2**63 - 1


class UnknownPerson(RuleBroken):
    """``user_not_found``, or ``ambiguous_user`` where several accounts have the address."""

    code = "user_not_found"


def find_people(names: Collection[int | str]) -> dict[int | str, User | UnknownPerson]:
    """Name → account, active or not, or why there is none. Three statements at most, however many are asked for."""
    ids = {name for name in names if not isinstance(name, str)}
    texts = {name for name in names if isinstance(name, str)}
    found: dict[Any, Any] = {**_by_id(ids), **_by_user_name(texts)}
    found |= _by_address(texts - found.keys())
    return {name: found.get(name) or UnknownPerson(_("There is no such account.")) for name in names}


def _by_id(ids: Iterable[int]) -> dict[int, User]:
    """None at all where the host's accounts have keys of another kind."""
    model = get_user_model()
    if not isinstance(model._meta.pk, IntegerField):
        return {}
    rows = model._default_manager.filter(pk__in=[one for one in ids if 0 < one <= MAX_ID])
    return {row.pk: row for row in rows}


def _by_user_name(names: Collection[str]) -> dict[str, User]:
    """Exactly as it is written, also where the database takes two spellings for one."""
    if not names:
        return {}
    model = get_user_model()
    rows = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": sorted(names)})
    return {row.get_username(): row for row in rows if row.get_username() in names}


def _by_address(names: Collection[str]) -> dict[str, User | UnknownPerson]:
    model = get_user_model()
    field = model.get_email_field_name()
    wanted = {name: name.lower() for name in names if "@" in name}
    if not wanted or not _has_field(model, field):
        return {}
    owners: dict[str, list[User]] = defaultdict(list)
    rows = model._default_manager.annotate(_address=Lower(field)).filter(_address__in=sorted(set(wanted.values())))
    for row in rows:
        owners[str(getattr(row, field)).lower()].append(row)
    several = UnknownPerson(_("Several accounts have this address."), code="ambiguous_user")
    return {
        name: several if len(owners[address]) > 1 else owners[address][0]
        for name, address in wanted.items()
        if address in owners
    }


def _has_field(model: Any, name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True
