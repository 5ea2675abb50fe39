"""The chat's addresses; included at the root."""

from django.urls import path, re_path, register_converter

from demos.chat import views
from demos.chat.rooms import NAME_PATTERN


class RoomConverter:
    """A path segment that is a room's name."""

    regex = NAME_PATTERN

    def to_python(self, value: str) -> str:
        """Return the name as it stands."""
        return value

    to_url = to_python


register_converter(RoomConverter, "room")

app_name = "chat"
urlpatterns = [
    path("chat/", views.enter, name="enter"),
    path("chat/<room:name>/", views.room, name="room"),
    # After the rooms: what is left below /chat/ is no room's name, and is told so.
    re_path(r"^chat/(?P<name>(?s:.+))\Z", views.no_such_room, name="no-such-room"),
    path("favicon.ico", views.favicon, name="favicon"),
]
