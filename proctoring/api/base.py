"""What every view of the API has in common. Only authentication is the host's choice."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from django.http import HttpRequest, QueryDict, RawPostDataException
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.functional import cached_property
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request, is_form_media_type
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.viewsets import GenericViewSet

from proctoring.api.errors import problem
from proctoring.api.openapi import ApiSchema
from proctoring.api.wire import JsonOnly, JsonParser, JsonRenderer, is_id
from proctoring.host import Role, host

EMPTY_FORM = re.compile(rb"\s*(--[^\r\n]*--)?\s*")
"""Nothing, or the boundary that ends a multipart body, with no part before it."""
MAX_EMPTY_FORM = 100
"""Bytes: a boundary has at most 70."""


class Viewer:
    """The person who asks. The host is asked once a request, however many rows are shown."""

    def __init__(self, user: Any) -> None:
        self.user = user

    @cached_property
    def _courses(self) -> Any:
        return host().courses_with_role(self.user, Role.STAFF)

    def administers(self, course_id: str) -> bool:
        """Whether the person is staff of this course."""
        return self._courses is None or course_id in self._courses

    def administers_something(self) -> bool:
        return self._courses is None or bool(self._courses)


class JsonRequest(Request):
    """There are no forms here. Django's check of the CSRF token would otherwise have the body parsed, to look for the
    token in a form, and a malformed one refused, before anybody has asked who may do this.

    A form without fields is no body: some clients send one when they have nothing to say."""

    def _parse(self) -> tuple[Any, Any]:
        # REST framework's, where its stubs do not look.
        return ({}, MultiValueDict()) if self._is_empty_form() else super()._parse()  # type: ignore[misc]

    def _is_empty_form(self) -> bool:
        length = self.META.get("CONTENT_LENGTH") or "0"
        if not (is_form_media_type(self.content_type) and length.isascii() and length.isdigit()):
            return False
        if int(length) > MAX_EMPTY_FORM:
            return False
        try:
            return EMPTY_FORM.fullmatch(self._request.body) is not None
        except RawPostDataException:
            # A middleware of the host has read the form.
            return not self._request.POST

    @property
    def POST(self) -> Any:  # type: ignore[override]  # noqa: N802  # Django's name; there it is an attribute
        return QueryDict()


class ApiViewSet(GenericViewSet[Any]):
    permission_classes = (IsAuthenticated,)
    parser_classes = (JsonParser,)
    renderer_classes = (JsonRenderer,)
    content_negotiation_class = JsonOnly
    throttle_classes = ()
    versioning_class = None
    metadata_class = None
    filter_backends: Sequence[Any] = ()
    pagination_class: Any = None
    schema = ApiSchema()

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonRequest:
        return JsonRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def get_authenticators(self) -> list[BaseAuthentication]:
        classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
        return [authenticator() for authenticator in classes]

    def get_authenticate_header(self, request: Request) -> str:
        """A 401 names a challenge. REST framework asks the first authenticator alone, and answers 403 where it has
        none: then what an anonymous caller gets would depend on the host's order."""
        challenges = (authenticator.authenticate_header(request) for authenticator in self.get_authenticators())
        return next((challenge for challenge in challenges if challenge), 'Session realm="api"')

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        if not (request.user and request.user.is_authenticated):
            raise exceptions.NotAuthenticated
        raise exceptions.PermissionDenied(message, code)

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return problem

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    @cached_property
    def now(self) -> datetime:
        """One moment for the whole answer."""
        return timezone.now()

    @cached_property
    def viewer(self) -> Viewer:
        return Viewer(self.request.user)

    def get_serializer_context(self) -> dict[str, Any]:
        return {"now": self.now, "viewer": self.viewer}

    def read(self, serializer_class: type[serializers.Serializer[Any]], **kwargs: Any) -> dict[str, Any]:
        """The validated body. Raises ``ValidationError``."""
        serializer = serializer_class(data=self.request.data, **kwargs)
        serializer.is_valid(raise_exception=True)
        data: dict[str, Any] = serializer.validated_data
        return data

    def shown(self, serializer_class: type[serializers.BaseSerializer[Any]], thing: Any, **kwargs: Any) -> Any:
        """The representation of a thing, or of many."""
        return serializer_class(thing, context=self.get_serializer_context(), **kwargs).data


class NothingHere(ApiViewSet):
    """Every address below ``api/v1/`` that does not exist, so that this answer, too, is ours."""

    schema = None  # type: ignore[assignment]  # REST framework's way to leave a view out of the description

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise exceptions.NotFound

    def nothing(self, request: Request) -> Response:
        raise exceptions.NotFound


def row_id(text: str) -> int:
    """The primary key in a path. Raises ``NotFound`` for what cannot be one."""
    if not is_id(text):
        raise exceptions.NotFound
    return int(text)


def refuse(errors: Mapping[str, str]) -> NoReturn:
    """400 for one field."""
    raise exceptions.ValidationError({name: [sentence] for name, sentence in errors.items()})
