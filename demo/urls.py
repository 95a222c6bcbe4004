"""The LMS's own pages, the admin, and proctoring: one include."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", include("demo.lms.urls")),
    path("accounts/login/", LoginView.as_view(template_name="lms/login.html"), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("i18n/", include("django.conf.urls.i18n")),
    # Pages that are not the LMS's own, such as the admin's, name no icon: browsers then ask here.
    path("favicon.ico", RedirectView.as_view(url=static("lms/icon.svg"))),
    path("admin/", admin.site.urls),
    path("proctoring/", include("proctoring.urls")),
]
