"""Prometheus' format, read."""

from prometheus_client.parser import text_string_to_metric_families


def families(text):
    """The families of an exposition, by name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(text):
    """The value of each sample, by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families(text).values()
        for sample in family.samples
    }
