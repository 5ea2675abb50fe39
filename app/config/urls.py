"""HTTP paths."""

from django.urls import include, path

urlpatterns = [
    path("", include("demos.chat.urls")),
]
