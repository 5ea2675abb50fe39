"""Django finds the chat's templates and static files by this."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """The chat demo."""

    name = "demos.chat"
    label = "chat"
    verbose_name = "Chat"
