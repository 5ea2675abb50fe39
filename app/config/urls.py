"""HTTP paths."""

from django.urls import include, path

urlpatterns = [
    path("", include("demos.chat.urls")),
]

handler400 = "demos.pages.bad_request"
handler404 = "demos.pages.not_found"
handler500 = "demos.pages.server_error"
