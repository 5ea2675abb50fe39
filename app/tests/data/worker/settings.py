"""Nothing but the channel layer; the test says where its Redis is."""

import json
import os

SECRET_KEY = "of a test"  # noqa: S105
INSTALLED_APPS = ["channels"]
ASGI_APPLICATION = "worker.routing.application"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "fanout.layers.RedisChannelLayer",
        "CONFIG": json.loads(os.environ["LAYER"]),
    },
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
