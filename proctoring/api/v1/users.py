"""``users/{id}/``: what is kept about a person, and how it is forgotten."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, row_id
from proctoring.api.openapi import operation, path_id
from proctoring.api.wire import UtcDateTimeField
from proctoring.permissions import is_privacy_officer
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.export import export_user
from proctoring.privacy.models import CertificateKind
from proctoring.privacy.words import SHORTEST

TAG = "Privacy"

MAX_REASON = 4000
MAX_WORDS, MAX_WORD = 20, 100
NO_REASON = "Asked for through the API."
"""In English whoever asks: a certificate is one document for everybody."""


class ErasureSerializer(serializers.Serializer[Any]):
    """Why, in words that may be kept: the person's names are taken out of them."""

    reason = serializers.CharField(max_length=MAX_REASON, default=NO_REASON)
    also = serializers.ListField(
        child=serializers.CharField(min_length=SHORTEST, max_length=MAX_WORD),
        max_length=MAX_WORDS,
        default=list,
        help_text="Words that are taken out wherever they stand, of whomever is spoken: for what was unclear.",
    )


class CertificateSerializer(serializers.Serializer[Any]):
    """What was deleted. `subject` is a keyed hash of the person, `digest` the SHA-256 of the rest: keep a copy."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=CertificateKind.choices)
    subject = serializers.CharField()
    reason = serializers.CharField()
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Model → rows emptied or deleted.")
    unclear = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Model → in how many places a word was left that may mean the person or somebody else.",
    )
    vendors = serializers.ListField(child=serializers.CharField(), help_text="Backends that are told to forget.")
    made_at = UtcDateTimeField()
    digest = serializers.CharField()


class WhereSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    key = serializers.IntegerField()
    field = serializers.CharField()


class ErasureAnswerSerializer(CertificateSerializer):
    """The certificate, and where it is unclear now whether the person is meant: the first 1000 places."""

    unclear_places = WhereSerializer(many=True)


EXPORT = OpenApiResponse(
    OpenApiTypes.OBJECT, description="`format`, `version`, `made_at`, `person`, and a list of rows for each section."
)


class Users(ApiViewSet):
    @operation(
        "Forget a person",
        body=ErasureSerializer,
        answer=ErasureAnswerSerializer,
        tag=TAG,
        errors=(403, 404, 409, 503),
        parameters=[path_id()],
        description=(
            "For privacy officers. Refused with 409 under a legal hold (`legal_hold`), while an attempt has not ended "
            "(`attempt_open`) and while a vendor is being called (`call_in_hand`). Erasing again answers with the last "
            "certificate where nothing came since. Where a word may mean the person or somebody else it is left, and "
            "`unclear_places` says where: whoever has looked may erase again with it in `also`."
        ),
    )
    def erase(self, request: Request, pk: str) -> Response:
        person = self._person(pk)
        if not is_privacy_officer(request.user):
            raise exceptions.PermissionDenied
        erasure = erase_user(person, by=request.user, now=self.now, **self.read(ErasureSerializer))
        certificate = self.shown(CertificateSerializer, erasure.certificate)
        places = self.shown(WhereSerializer, erasure.unclear.places, many=True)
        return Response({**certificate, "unclear_places": places})

    @operation(
        "Everything that is kept about a person",
        answer=EXPORT,
        tag=TAG,
        errors=(403, 404),
        parameters=[path_id()],
        description="For privacy officers, and for the person themselves.",
    )
    def export(self, request: Request, pk: str) -> StreamingHttpResponse:
        person = self._person(pk)
        if person.pk != request.user.pk and not is_privacy_officer(request.user):
            raise exceptions.PermissionDenied
        return StreamingHttpResponse(
            export_user(person, now=self.now),
            content_type="application/json",
            headers={
                "Content-Disposition": f'attachment; filename="proctoring-{person.pk}.json"',
                "Cache-Control": "no-store",
            },
        )

    def _person(self, text: str) -> Any:
        person = get_user_model()._default_manager.filter(pk=row_id(text)).first()
        if person is None:
            raise exceptions.NotFound
        return person
