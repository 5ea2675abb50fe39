"""HTTP paths."""

from django.urls import include, path

urlpatterns = [
    path("", include("demos.home.urls")),
    path("", include("demos.chat.urls")),
    path("game/", include("demos.game.urls")),
    path("dashboard/", include("demos.dashboard.urls")),
]

handler400 = "demos.pages.bad_request"
handler404 = "demos.pages.not_found"
handler500 = "demos.pages.server_error"
