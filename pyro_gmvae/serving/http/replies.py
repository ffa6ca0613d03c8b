"""Say how the server replies: objects for rows, and one sentence for a failure."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

__all__ = ["ERROR", "FAILURES", "error_reply", "objects_of"]

FAILURES = {
    400: "the body is no text in UTF-8",
    401: "the token is missing or wrong",
    413: "the request is too large",
    422: "the records do not fit the model",
    429: "too many requests: wait",
}
_OBJECT = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
ERROR = {"content": {"application/json": {"schema": _OBJECT}}}


def error_reply(status: int, sentence: str, headers: Any = None) -> Any:
    """Make the reply of a failure: one sentence, as JSON.

    Args:
        status: the code of HTTP.
        sentence: what is wrong.
        headers: further headers, by name; None for none.

    >>> reply = error_reply(401, "send the token")
    >>> reply.status_code, reply.body
    (401, b'{"error":"send the token"}')
    """
    from fastapi.responses import JSONResponse

    return JSONResponse({"error": sentence}, status, headers=headers)


def objects_of(found: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Turn arrays by name into an object for each row; what is no number is null.

    >>> objects_of({"cluster": np.array([1]), "typicality": np.array([np.nan])})
    [{'cluster': 1, 'typicality': None}]
    """
    columns = {
        name: [
            None if isinstance(value, float) and not isfinite(value) else value
            for value in values.tolist()
        ]
        for name, values in found.items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
