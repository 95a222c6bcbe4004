"""``webhooks/<alias>/``."""

from django.urls import path

from proctoring.webhooks.views import receive

urlpatterns = [path("<str:alias>/", receive, name="webhook")]
