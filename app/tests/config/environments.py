"""An environment that production takes, and what is said of one that is refused."""

import pytest

from config.env import ConfigurationError, read

KEY = "k" * 32
PRODUCTION = {
    "FANOUT_ENV": "production",
    "FANOUT_SECRET_KEY": KEY,
    "FANOUT_ALLOWED_HOSTS": "chat.example.org",
    "FANOUT_REDIS_URLS": "redis://redis:6379",
}


def refused(**values):
    """Return the sentence of a refused environment."""
    with pytest.raises(ConfigurationError) as caught:
        read(values)
    return str(caught.value)
