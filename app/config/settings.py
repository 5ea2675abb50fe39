"""Django's settings, derived from `config.env` alone."""

from __future__ import annotations

import sys
from typing import Any

from config.database import django
from config.env import REPOSITORY, read_or_exit

ENV = read_or_exit()

SECRET_KEY = ENV.secret_key
DEBUG = ENV.debug
ALLOWED_HOSTS = ENV.allowed_hosts
CSRF_TRUSTED_ORIGINS = ENV.trusted_origins

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "fanout",
    "ops",
    "demos.home",
    "demos.chat",
    "demos.game",
    "demos.dashboard",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # nginx serves /static/ in the fleet; this does for a server that runs alone (daphne, uvicorn).
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [REPOSITORY / "app" / "demos" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": django(ENV.database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "fanout.layers.RedisChannelLayer", "CONFIG": {"hosts": ENV.redis_hosts}}
        if ENV.redis_hosts
        else {"BACKEND": "fanout.layers.InMemoryChannelLayer"}
    ),
}

STATIC_URL = "/static/"
STATIC_ROOT = ENV.static_root
# Before `collectstatic` has run (a test, a bare `daphne`), files are found where they lie.
COLLECTED = (STATIC_ROOT / "staticfiles.json").exists()
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not COLLECTED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "config.static.HashedStaticFilesStorage"
        if COLLECTED or "collectstatic" in sys.argv
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"

# nginx says how the client came in; it overwrites whatever the client itself sent.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# Frames of the protocol are bounded by the consumer; a form of ours is far smaller than this.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": ENV.log_level},
    # A 404 is the visitor's affair: nginx logs it with the rest of the request.
    "loggers": {
        "django.request": {"level": "ERROR"},
        # Django's own line for it is a traceback of 30 lines, at the asking of any stranger.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
