"""HTTP paths."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("demos.home.urls")),
    path("accounts/", include("demos.accounts.urls")),
    path("admin/", admin.site.urls),
    path("", include("demos.chat.urls")),
    path("game/", include("demos.game.urls")),
    path("document/", include("demos.document.urls")),
    path("dashboard/", include("demos.dashboard.urls")),
    path("ops/", include("ops.urls")),
]

handler400 = "demos.pages.bad_request"
handler403 = "demos.pages.forbidden"
handler404 = "demos.pages.not_found"
handler500 = "demos.pages.server_error"
