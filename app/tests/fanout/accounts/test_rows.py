"""What is asked of the database for many accounts at once, and that it is what Django says of each."""

import pytest
from django.contrib.auth.models import Group, Permission, User

from fanout.accounts import rows


@pytest.mark.django_db
def test_the_rights_of_many_are_looked_up_together(django_assert_max_num_queries):
    """A look at thousands of accounts takes a handful of queries; they may then what Django says they may."""
    view, change = (Permission.objects.get(codename=name) for name in ("view_group", "change_group"))
    club, other = (Group.objects.create(name=name) for name in ("club", "other"))
    club.permissions.add(view)
    other.permissions.add(change)
    users = [User.objects.create(username=f"user-{number}", is_superuser=number == 7) for number in range(8)]
    users[1].user_permissions.add(view)
    users[2].groups.add(club)
    users[3].groups.add(club, other)
    users[3].user_permissions.add(change)
    User.objects.filter(pk=users[2].pk).update(is_active=False)
    with django_assert_max_num_queries(5):
        found = rows.users_of([user.pk for user in users])
    with django_assert_max_num_queries(2):  # the superuser's
        told = {pk: user.get_all_permissions() for pk, user in found.items()}
    assert told == {user.pk: User.objects.get(pk=user.pk).get_all_permissions() for user in users}
    assert told[users[3].pk] == {"auth.view_group", "auth.change_group"}
    assert len(told[users[7].pk]) > 2


@pytest.mark.django_db
def test_another_backend_is_asked_for_itself(settings):
    """Only where Django's own alone answers for what users may is its answer foreseen."""
    user = User.objects.create(username="ada")
    user.user_permissions.add(Permission.objects.get(codename="view_group"))
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.RemoteUserBackend"]
    assert not hasattr(rows.users_of([user.pk])[user.pk], "_user_perm_cache")
