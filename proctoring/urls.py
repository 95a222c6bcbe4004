"""What a host includes: ``path("proctoring/", include("proctoring.urls"))``."""

from django.urls import include, path

app_name = "proctoring"
urlpatterns = [
    path("api/v1/", include("proctoring.api.v1.urls")),
    path("exam/", include("proctoring.candidate.urls")),
    path("webhooks/", include("proctoring.webhooks.urls")),
]
