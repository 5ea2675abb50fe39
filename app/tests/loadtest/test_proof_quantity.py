import pytest

from proof.quantity import of


@pytest.mark.parametrize(
    ("number", "noun", "told"),
    [
        (1, "replica", "1 replica"), (3, "replica", "3 replicas"), (2, "process", "2 processes"),
        (1, "delivery", "1 delivery"), (40_000, "delivery", "40,000 deliveries"),
    ],
)  # fmt: skip
def test_a_number_of_things_is_told_as_people_say_it(number, noun, told):
    """In the terminal, the report and the verdict alike."""
    assert of(number, noun) == told
