"""The panels of the dashboards, for tests that look at them and for one that asks what they ask."""

from fleet.options import REPOSITORY

DASHBOARDS = sorted((REPOSITORY / "deploy/grafana/dashboards").glob("*.json"))


def panels(dashboard):
    """The panels of a dashboard, without its rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(panel):
    """What a panel asks Prometheus for."""
    return [target["expr"] for target in panel["targets"]]
