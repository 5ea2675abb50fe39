"""The dashboard's addresses; included below `dashboard/`."""

from django.urls import path

from demos import rooms  # noqa: F401 - it registers the converter `room`
from demos.dashboard import views

app_name = "dashboard"
urlpatterns = [
    path("", views.fleet, name="fleet"),
    path("open", views.enter, name="enter"),
    path("<room:name>/", views.board, name="board"),
]
