"""The addresses of pages for staff; included below `ops/`. What probes ask is answered before Django: ops/asgi.py."""

from django.urls import path

from ops import views

app_name = "ops"
urlpatterns = [path("", views.fleet, name="fleet")]
