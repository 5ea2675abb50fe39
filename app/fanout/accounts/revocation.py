"""Django's signals, told to the fleet: what ends an account's session or changes what it may do (connected.py)."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

from fanout.accounts.connected import GROUP, digest_of
from fanout.accounts.rows import session_model
from fanout.api import apublish, publish
from fanout.errors import FanoutError

if TYPE_CHECKING:
    from django.db.models import Model

logger = logging.getLogger(__name__)

_telling: set[asyncio.Task[None]] = set()


def connect() -> None:
    """Listen to the signals of accounts, where the project has such; called once, when all apps are there."""
    if not apps.is_installed("django.contrib.auth"):
        return
    user: Any = get_user_model()
    post_save.connect(_user_saved, sender=user)
    post_delete.connect(_user_deleted, sender=user)
    if apps.is_installed("django.contrib.sessions") and (sessions := session_model()) is not None:
        post_delete.connect(_session_deleted, sender=sessions)
    else:
        user_logged_out.connect(_logged_out)
    for name in ("groups", "user_permissions"):
        if hasattr(user, name):
            m2m_changed.connect(_membership_changed, sender=getattr(user, name).through)
    group: Any = apps.get_model("auth", "Group")
    m2m_changed.connect(_permissions_changed, sender=group.permissions.through)
    for model in (group, apps.get_model("auth", "Permission")):
        post_delete.connect(_permissions_changed, sender=model)


def _user_saved(instance: Any, created: bool, update_fields: Any, **_: Any) -> None:
    if not created and update_fields != {"last_login"}:  # each log-in writes that
        _tell({"users": [instance.pk]})


def _user_deleted(instance: Any, **_: Any) -> None:
    _tell({"users": [instance.pk]})


def _session_deleted(instance: Any, **_: Any) -> None:
    if SESSION_KEY in instance.get_decoded():  # a guest's is replaced when he logs in: he goes on as he came
        _tell({"session": digest_of(instance.session_key)})


def _logged_out(request: Any, **_: Any) -> None:
    key = getattr(getattr(request, "session", None), "session_key", None)
    if key:
        _tell({"session": digest_of(key)})


def _membership_changed(instance: Model, action: str, reverse: bool, pk_set: set[Any] | None, **_: Any) -> None:
    if not action.startswith("post_"):
        return
    if not reverse:
        _tell({"users": [instance.pk]})
    elif pk_set:
        _tell({"users": list(pk_set)})
    else:  # a group was emptied: it does not say of whom
        _tell({})


def _permissions_changed(action: str = "post_delete", **_: Any) -> None:
    if action.startswith("post_"):
        _tell({})


def _tell(what: dict[str, Any]) -> None:
    """Tell the fleet when it is committed; what nobody could be told, the sweep's look at the database finds out.

    It sees sessions, the user's columns and the rows of groups and permissions: see rows.py.
    """
    transaction.on_commit(partial(_publish, what), robust=True)


def _publish(what: dict[str, Any]) -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        try:
            publish(GROUP, what)
        except (FanoutError, TypeError) as error:  # Redis is away, or the layer is none of ours
            logger.warning("the fleet is not told that an account has changed: %s", error)
        return
    task = loop.create_task(_apublish(what))
    _telling.add(task)
    task.add_done_callback(_telling.discard)


async def _apublish(what: dict[str, Any]) -> None:
    try:
        await apublish(GROUP, what)
    except (FanoutError, TypeError) as error:
        logger.warning("the fleet is not told that an account has changed: %s", error)
