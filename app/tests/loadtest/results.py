"""Results as a run of the proof leaves them: proved, broken in each way, and not valid."""

import math
import random

from proof.judgement.result import Cell, Count, Event, Kind, Latency, Pair, Result, Second, Verdict, Worker

POD = "web-6d5f7c9b8-"
MACHINE = {
    "processor": "Intel(R) Xeon(R) Processor @ 2.60GHz", "cores": 2, "memory_gib": 15.6, "kernel": "6.8.0-45-generic",
    "python": "3.11.2", "locust": "2.47.0", "nginx": "nginx version: nginx/1.22.1",
    "redis": "Redis server v=7.0.15", "daphne": "4.2.3", "channels": "4.3.2",
}  # fmt: skip
LOST, DOUBLED, SWAPPED, EMPTY, UNASKED, SLOW = "lost", "doubled", "swapped", "empty", "unasked", "slow"


def names(count, *, pods=False):
    """Replicas of a fleet on one host, or two a pod of Kubernetes."""
    if not pods:
        return [f"web-{number}" for number in range(1, count + 1)]
    return [f"{POD}{'xq7rk2mvz8wt4'[n // 2 : n // 2 + 5]}-web-{n % 2 + 1}" for n in range(count)]


def a_latency(count, p50):
    """A distribution with a tail."""
    return Latency(count=count, p50=p50, p99=p50 * 3.1, p999=p50 * 6.4, worst=p50 * 9.7)


def a_cell(publisher, receiver, expected, p50, what=None):
    """A cell that is whole, or has gone wrong in one way."""
    wrong = max(1, expected // 1000)
    counts = {
        None: Count(expected, expected), SLOW: Count(expected, expected), UNASKED: Count(),
        LOST: Count(expected, expected - wrong, lost=wrong), DOUBLED: Count(expected, expected, doubled=wrong),
        SWAPPED: Count(expected, expected, disordered=wrong), EMPTY: Count(expected, 0, lost=expected),
    }  # fmt: skip
    count = counts[what]
    p50 = 400.0 if what == SLOW else p50
    return Cell(publisher, receiver, count, a_latency(count.received, p50) if count.received else None)


def a_second(second, users, rate, rng, *, slow=1.0):
    """One second of publications, or of connects when it is below 0."""
    if second < 0:
        made = users // 3
        return Second(second, made * (second + 4), made, 0, 0, connected=a_latency(made, 9 + 4 * rng.random()))
    p50 = 2.4 * slow * (1 + 0.25 * math.sin(second / 7) + 0.2 * rng.random())
    published = round(rate * (0.97 + 0.06 * rng.random()))
    deliveries = published * users // 20
    return Second(
        second, users, 0, published, deliveries,
        acknowledged=a_latency(published, 0.6 * p50), delivered=a_latency(deliveries, p50),
    )  # fmt: skip


def a_result(replicas=3, seconds=60, *, wrong=None, pods=False, chaos=False, invalid="", **changes):
    """A run: `wrong` says what has gone wrong in cells by (row, column); `invalid` why it was none."""
    rng = random.Random(6)  # noqa: S311 - no secret
    called, wrong, users = names(replicas, pods=pods), wrong or {}, 60 * replicas
    cells = [
        a_cell(p, r, 21_000 + 37 * row + column, 2 + abs(row - column) * 0.4 + rng.random(), wrong.get((row, column)))
        for row, p in enumerate(called) for column, r in enumerate(called)
    ]  # fmt: skip
    broken = [cell for cell in cells if cell.count.expected and cell.count != Count(*[cell.count.expected] * 2)]
    broken.sort(key=lambda cell: -cell.count.lost)
    events = [
        Event(12.0, "restart", 21.5, "3 replicas, one after the other"),
        Event(34.2, "redis-kill", None, "2 connections"), Event(48.0, "reload", 48.4, failed=True),
    ] if chaos else []  # fmt: skip
    during = {second for event in events for second in range(int(event.at), int(event.until or event.at) + 2)}
    timeline = [a_second(n, users, 120, rng, slow=14 if n in during else 1) for n in range(-3, seconds + 1)]
    verdict = Verdict.INVALID if invalid else Verdict.BROKEN if broken else Verdict.PROVED
    values = {
        "verdict": verdict,
        "sentence": invalid or sentence_of(cells, broken, replicas),
        "reasons": [invalid] if invalid else [reason_of(cell) for cell in broken],
        "host": "http://127.0.0.1:8080",
        "began": "2026-11-25T21:40:12Z",
        "seconds": float(seconds),
        "replicas": called if cells else [],
        "cells": cells,
        "pairs": [a_pair(cell, number) for number, cell in enumerate(broken)][:100],
        "kinds": kinds_of(cells, users),
        "timeline": timeline,
        "events": events,
        "workers": [Worker("w1", 0.93 if invalid else 0.41, 0.97 if invalid else 0.48, 0.0, 96_000),
                    Worker("w2", 0.38, 0.44, 0.0004, 93_000)],
        "acknowledged": a_latency(7200, 1.5),
        "delivered": a_latency(sum(cell.count.received for cell in cells), 2.5),
        "p99_limit": 250.0,
        "gaps": 7 if chaos else 0,
        "machine": MACHINE,
        "command": "locust -f loadtest/ws.py --headless --host http://127.0.0.1:8080 --users 180 --run-time 60s",
    }  # fmt: skip
    return Result(**{**values, **changes})


def sentence_of(cells, broken, replicas):
    """The verdict in words."""
    if broken:
        return f"{reason_of(broken[0])}; that is the worst of {len(broken)} cells of {len(cells)}."
    total = sum(cell.count.expected for cell in cells)
    return f"All {total:,} messages arrived once and in order, from each of {replicas} replicas on each."


def reason_of(cell):
    count = cell.count
    if not count.received:
        return f"{cell.receiver} heard nothing of the {count.expected:,} messages published on {cell.publisher}"
    what = "lost" if count.lost else "doubled" if count.doubled else "out of order"
    number = count.lost or count.doubled or count.disordered
    return f"{number} of {count.expected:,} messages from {cell.publisher} on {cell.receiver} were {what}"


def a_pair(cell, number):
    """The pair of clients that a broken cell is due to."""
    group = f"chat.proof-{number}"
    return Pair(f"u{number}", f"u{number + 40}", cell.publisher, cell.receiver, group, cell.count, "the first is 417")


def kinds_of(cells, users):
    """Users of each class; what slow plain ones miss does not count."""
    total = sum((cell.count for cell in cells), Count())
    return [
        Kind("Chat rooms", users - 30, 12, 5200, 5200, users - 30, 0, 0, 0, total),
        Kind("Resuming", 20, 2, 2000, 2000, 260, 240, 0, 3, Count(41_000, 41_000)),
        Kind("Slow plain clients", 10, 1, 0, 0, 14, 0, 4, 0, Count(20_000, 19_400, lost=600), counts=False,
             note="Plain clients have no position to go on from: what is sent while they are away is lost to them."),
    ]  # fmt: skip


SAMPLES = {
    "proved-2": lambda: a_result(2, 30),
    "proved-3-chaos": lambda: a_result(3, chaos=True),
    "proved-12": lambda: a_result(12),
    "broken-3": lambda: a_result(3, wrong={(0, 1): EMPTY, (1, 1): LOST, (2, 0): SLOW}),
    "broken-12-pods": lambda: a_result(
        12, pods=True, chaos=True,
        wrong={(3, 7): EMPTY, (0, 1): LOST, (5, 5): DOUBLED, (9, 2): SWAPPED, (11, 4): SLOW, (6, 10): UNASKED},
    ),
    "invalid-2": lambda: a_result(
        2, 20, invalid="The load generator used 93 % of a core: its own queue would be measured; use more workers."
    ),
    "no-server": lambda: a_result(
        0, 0, invalid="No server answers at http://127.0.0.1:8080: connection refused; start one with make up.",
        cells=[], pairs=[], kinds=[], timeline=[], workers=[], acknowledged=None, delivered=None, gaps=None,
    ),
}  # fmt: skip
"""One of each that looks different."""
