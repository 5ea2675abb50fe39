"""What the database says of many accounts at once: a query for each CHUNK of them."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from functools import cache
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_backends, get_user_model
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.crypto import constant_time_compare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

CHUNK = 500
"""Keys of one query: below SQLite's 999, some 3 ms."""
WATCHED = ("password", "is_active", "is_superuser", "is_staff")
"""Fields of a user that may not change unnoticed, as far as the project's model has columns for them."""


def look_of(user: Any) -> tuple[Any, ...]:
    """Return what may not change unnoticed; the password's hash first, on which each session depends."""
    columns = _columns(get_user_model())
    return tuple(getattr(user, name, None) if name in columns else None for name in WATCHED)


def looks_of(users: Collection[Any]) -> dict[Any, tuple[Any, ...]]:
    """Return the same by primary key, for those that are there."""
    model: Any = get_user_model()
    columns = _columns(model)
    asked = [name for name in WATCHED if name in columns]
    found = {}
    for part in _parts(users):
        for pk, *values in model._default_manager.filter(pk__in=part).values_list("pk", *asked):  # noqa: SLF001 - as above
            row = dict(zip(asked, values, strict=True))
            found[pk] = tuple(row.get(name) for name in WATCHED)
    return found


def rights_of(users: Collection[Any]) -> dict[Any, int]:
    """Return a digest of each user's groups and permissions, its own and its groups', by primary key.

    Three queries for each CHUNK; none where the project's model has no such.
    """
    own, groups, known = _rights(users)
    of_group = {group: hash(frozenset(permissions)) for group, permissions in known.items()}
    return {
        user: hash((frozenset(own[user]), frozenset((group, of_group.get(group)) for group in groups[user])))
        for user in users
    }


def users_of(users: Collection[Any]) -> dict[Any, Any]:
    """Return users by primary key, for those that are there, with their permissions.

    Django asks two queries a user for these, which is seconds for thousands. Where its own backend alone answers for a
    user's permissions, it finds them where it would have put them.
    """
    found: dict[Any, Any] = {}
    for part in _parts(users):
        found |= get_user_model()._default_manager.in_bulk(part)  # noqa: SLF001 - Django documents it
    if found:
        _remember_permissions(found)
    return found


def _remember_permissions(users: dict[Any, Any]) -> None:
    from django.contrib.auth.backends import ModelBackend  # both need its app, which a project need not have
    from django.contrib.auth.models import Permission

    if {type(backend) for backend in get_backends() if isinstance(backend, ModelBackend)} != {ModelBackend}:
        return
    own, groups, known = _rights(users)
    names: dict[Any, str] = {}
    for part in _parts(set().union(*own.values(), *known.values())):
        rows = Permission.objects.filter(pk__in=part).values_list("pk", "content_type__app_label", "codename")
        names |= {pk: f"{app}.{codename}" for pk, app, codename in rows}
    for pk, user in users.items():
        if getattr(user, "is_superuser", False) or not hasattr(user, "user_permissions"):
            continue  # has them all, or another way to have them
        of_groups = set().union(*(known[group] for group in groups[pk]))
        user._user_perm_cache = {names[each] for each in own[pk] if each in names}  # noqa: SLF001 - see users_of
        user._group_perm_cache = {names[each] for each in of_groups if each in names}  # noqa: SLF001 - the same


def sessions_of(keys: Collection[str]) -> set[str]:
    """Return those of these keys whose sessions are there and not over."""
    model: Any = session_model()
    if model is None:
        return set(keys)
    found: set[str] = set()
    for part in _parts(keys):
        rows = model.objects.filter(session_key__in=part, expire_date__gt=timezone.now())
        found.update(rows.values_list("session_key", flat=True))
    return found


def accounts_of(keys: Collection[str]) -> dict[str, Any]:
    """Return the user of each of these sessions that is somebody's; None where it is good for that user no more."""
    owners: dict[str, tuple[Any, str]] = {}
    model: Any = session_model()
    for part in _parts(keys):
        for row in model.objects.filter(session_key__in=part, expire_date__gt=timezone.now()):
            held = row.get_decoded()
            with contextlib.suppress(KeyError, ValidationError):  # nobody's; or of another model of users
                user = get_user_model()._meta.pk.to_python(held[SESSION_KEY])  # noqa: SLF001 - as Django does
                owners[row.session_key] = user, held.get(HASH_SESSION_KEY, "")
    users = users_of({user for user, _ in owners.values()})
    return {key: _if_good(users.get(user), given) for key, (user, given) in owners.items()}


def _if_good(user: Any, given: str) -> Any:
    """Return a user whom a session with this hash of a password still stands for."""
    if user is None or not getattr(user, "is_active", True):
        return None
    if not hasattr(user, "get_session_auth_hash"):  # a model of the project's own, as Django looks at it
        return user
    good = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return user if any(constant_time_compare(given, each) for each in good) else None


def session_model() -> Any:
    """Return the table of sessions; None where they are kept elsewhere."""
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    return store.get_model_class() if hasattr(store, "get_model_class") else None


@cache
def _columns(model: Any) -> frozenset[str]:
    """Return the names of a model's columns: a property of that name can't be asked the database for."""
    return frozenset(field.name for field in model._meta.concrete_fields)  # noqa: SLF001 - as above


def _rights(users: Collection[Any]) -> tuple[defaultdict[Any, set[Any]], ...]:
    """Return each user's permissions and groups, and these groups' permissions, all by primary key."""
    model: Any = get_user_model()
    groups = _related(model, "groups", users)
    lead_to = next((field.related_model for field in model._meta.many_to_many if field.name == "groups"), None)  # noqa: SLF001 - as above
    known = _related(lead_to, "permissions", set().union(*groups.values()))
    return _related(model, "user_permissions", users), groups, known


def _related(model: Any, name: str, keys: Collection[Any]) -> defaultdict[Any, set[Any]]:
    """Return what a many-to-many relation leads to from each of these keys; nothing if there is no such."""
    found: defaultdict[Any, set[Any]] = defaultdict(set)
    for field in model._meta.many_to_many if model is not None else ():  # noqa: SLF001 - as above
        if field.name != name:
            continue
        here, there = f"{field.m2m_field_name()}_id", f"{field.m2m_reverse_field_name()}_id"
        for part in _parts(keys):
            rows = field.remote_field.through._default_manager.filter(**{f"{here}__in": part})  # noqa: SLF001 - as above
            for key, other in rows.values_list(here, there):
                found[key].add(other)
    return found


def _parts(items: Collection[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while part := list(islice(rest, CHUNK)):
        yield part
