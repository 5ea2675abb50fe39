"""The chat's addresses; included at the root."""

from django.urls import path, re_path

from demos import rooms  # noqa: F401 - it registers the converter `room`
from demos.chat import views

app_name = "chat"
urlpatterns = [
    path("chat/", views.enter, name="enter"),
    path("chat/<room:name>/", views.room, name="room"),
    # After the rooms: what is left below /chat/ is no room's name, and is told so.
    re_path(r"^chat/(?P<name>(?s:.+))\Z", views.no_such_room, name="no-such-room"),
    path("favicon.ico", views.favicon, name="favicon"),
]
