"""The application with a kind of group whose publications are latest values, for replicas that tests start."""

from config.asgi import application
from fanout.policy import Policy, register

__all__ = ["application"]


class Values(Policy):
    """`{"name": …, "number": …}`: of each name the latest counts."""

    kind = "values"

    def value_key(self, data):
        return data["name"]


register(Values())
