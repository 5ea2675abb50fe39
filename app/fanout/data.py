"""A publication's data as JSON: what Python code hands over, encoded once, bounded."""

from __future__ import annotations

from typing import Any

import msgspec

from fanout.errors import BadData

_encode = msgspec.json.Encoder().encode


def encode_data(data: Any) -> bytes:
    """Return `data` as JSON (UTF-8). Raise BadData.

    Takes what msgspec takes: JSON's own types, dates and times, UUID, Decimal, Enum, dataclasses; bytes become
    Base64; NaN and the infinities, which JSON can't say, become null as in JavaScript.
    """
    try:
        return _encode(data)
    except RecursionError:
        raise BadData("The data is nested too deeply, or contains itself: send something flatter.") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise BadData(f"The data can't be said in JSON: {error}. Send strings, numbers, lists and dicts.") from None
