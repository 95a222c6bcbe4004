"""``exam/<id>/`` and what hangs below it."""

from django.urls import path

from proctoring.candidate import views

urlpatterns = [
    path("<int:exam_id>/", views.exam_page, name="exam_page"),
    path("<int:exam_id>/state/", views.exam_state, name="exam_state"),
    path("<int:exam_id>/<slug:action>/", views.exam_action, name="exam_action"),
]
