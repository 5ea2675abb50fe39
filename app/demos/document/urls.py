"""The documents' addresses; included below `document/`."""

from django.urls import path

from demos.document import views

app_name = "document"
urlpatterns = [
    path("", views.main, name="main"),
    path("open", views.enter, name="enter"),
    path("<room:name>/", views.document, name="document"),
    path("<room:name>/snapshot", views.snapshot, name="snapshot"),
]
