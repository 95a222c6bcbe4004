"""The pages of the LMS."""

from django.urls import path

from demo.lms import views

urlpatterns = [
    path("", views.start, name="start"),
    path("mails/", views.mails, name="mails"),
    path("mails/<int:pk>/", views.mail, name="mail"),
    path("mails/<int:pk>/html/", views.mail_html, name="mail_html"),
    path("courses/<slug:course_id>/", views.course, name="course"),
    path("courses/<slug:course_id>/<slug:content_id>/", views.questions, name="questions"),
    path("courses/<slug:course_id>/<slug:content_id>/<int:position>/", views.save_answer, name="save_answer"),
]
