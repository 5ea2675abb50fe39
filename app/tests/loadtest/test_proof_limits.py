import pytest

from proof.generator.limits import Room, refusal, room


def test_users_that_fit_are_not_refused():
    """Neither descriptors nor ports are short."""
    assert refusal(100, [Room("a", 100, 28000)]) is None


@pytest.mark.parametrize(
    ("users", "rooms", "told"),
    [
        (101, [Room("a", 100, 28000)], ("101 users do not fit", "250 files", "--users 100.")),
        (1001, [Room("a", 600, 28000), Room("b", 500, 28000)], ("2 load generators", "--users 1000.")),
        (3001, [Room("a", 9000, 3000)], ("3,000 connections to one address", "--users 3000.")),
        (6001, [Room("a", 9000, 3000), Room("b", 9000, 3000)], ("2 machines", "--users 6000.")),
        (3001, [Room("a", 9000, 3000), Room("a", 9000, 3000)], ("1 machine ", "--users 3000.")),
        (9999, [Room("a", 9000, 3000)], ("do not fit", "--users 3000.")),
    ],
)
def test_too_many_are_refused_with_the_number_that_fits(users, rooms, told):
    """Descriptors count for each process, ports for each machine."""
    sentence = refusal(users, rooms)
    assert all(part in sentence for part in told)


def test_this_process_has_room():
    """The kernel is asked for as many descriptors as it gives."""
    here = room()
    assert here.descriptors > 100
    assert here.ports > 1000
