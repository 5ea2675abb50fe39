"""The front page's address; included at the root."""

from django.urls import path

from demos.home import views

app_name = "home"
urlpatterns = [path("", views.home, name="home")]
