"""The chat demo, as Django knows it."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """Templates and static files are found by this; the policy of `chat.` groups is registered."""

    name = "demos.chat"
    label = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        """Register the policy."""
        from demos.chat.policy import ChatPolicy
        from fanout.policy import register

        register(ChatPolicy())
