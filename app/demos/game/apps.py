"""The game, as Django knows it."""

from django.apps import AppConfig


class GameConfig(AppConfig):
    """Templates, static files and the command `bots` are found by this; the policies are registered."""

    name = "demos.game"
    label = "game"
    verbose_name = "Game"

    def ready(self) -> None:
        """Register the policies of `game.` and `gems.` groups."""
        from demos.game.policy import GamePolicy, GemsPolicy
        from fanout.policy import register

        register(GamePolicy())
        register(GemsPolicy())
