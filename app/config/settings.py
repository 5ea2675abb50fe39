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
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "fanout",
    "fanout.archive",
    "ops",
    "demos.home",
    "demos.accounts",
    "demos.chat",
    "demos.game",
    "demos.document",
    "demos.dashboard",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # nginx serves /static/ in the fleet; this does for a server that runs alone (daphne, uvicorn).
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.headers.secure_cookies",
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

LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home:home"
CSRF_FAILURE_VIEW = "demos.pages.csrf_failure"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

DATABASES = {"default": django(ENV.database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# fanout.limits.bounds says what each is.
FANOUT_LIMITS = ENV.limits
FANOUT_WITHOUT_ORIGIN = ENV.without_origin

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
        if COLLECTED or {"collectstatic", "prepare"}.intersection(sys.argv[:2])
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Seconds after which the worker deletes what it has archived; None: never.
FANOUT_ARCHIVE_AGE = None if ENV.archive_days is None else ENV.archive_days * 24 * 3600

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"

# nginx says how the client came in; it overwrites whatever the client itself sent.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# What answers that do not come from Django have too: config.headers.
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# Frames of the protocol are bounded by the consumer; a form of ours is far smaller than this.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# Programs read the log in production, people everywhere else, and on a terminal.
FOR_PROGRAMS = ENV.log_format == "json" or (ENV.log_format == "auto" and ENV.production and not sys.stderr.isatty())
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "ops.logs.JsonFormatter"}, "text": {"()": "ops.logs.TextFormatter"}},
    "handlers": {"stderr": {"class": "ops.logs.BoundHandler", "formatter": "json" if FOR_PROGRAMS else "text"}},
    "root": {"handlers": ["stderr"], "level": ENV.log_level},
    # A 404 is the client's affair: nginx logs it with the rest of the request.
    "loggers": {
        "django.request": {"level": "ERROR"},
        # Django's own line for it is a traceback of 30 lines, at the asking of any stranger.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
