"""The documents' addresses; included below `document/`."""

from django.urls import path

from demos import rooms  # noqa: F401 - it registers the converter `room`
from demos.document import views

app_name = "document"
urlpatterns = [
    path("", views.main, name="main"),
    path("open", views.enter, name="enter"),
    path("<room:name>/", views.document, name="document"),
    path("<room:name>/snapshot", views.snapshot, name="snapshot"),
]
