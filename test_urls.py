"""The host's own URLs: the admin, a login page, and the app where an LMS would mount it.

Static files are served here too, whatever the server and ``DEBUG``, so that pages work without a second process.
"""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.views import serve
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/login/", LoginView.as_view(template_name="admin/login.html"), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("proctoring/", include("proctoring.urls")),
    path("static/<path:path>", serve, {"insecure": True}),
]
