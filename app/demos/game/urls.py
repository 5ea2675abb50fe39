"""The game's addresses; included below `game/`."""

from django.urls import path

from demos import rooms  # noqa: F401 - it registers the converter `room`
from demos.game import views

app_name = "game"
urlpatterns = [
    path("", views.arena, name="main"),
    path("ticket", views.ticket, name="ticket"),
    path("<room:name>/", views.arena, name="arena"),
]
