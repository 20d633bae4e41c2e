"""What no schema can say of a valid request; loaded by the fuzzer's command line."""

import os
from itertools import count
from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext

_numbers = count()
_LETTERS = os.environ.get("SAGA_FUZZ_LETTERS", "").split()  #: dead letters that are there


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """Make a request valid that breaks a rule which only holds between two of its fields."""
    if case.path.endswith("/events"):
        case.query = {"max_s": 1} | (case.query or {})  # Else it goes on for ever.
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return case
    headers: Any = case.headers or {}
    if _LETTERS and "letter_id" in case.path_parameters and next(_numbers) % 2:
        case.path_parameters["letter_id"] = _LETTERS[next(_numbers) % len(_LETTERS)]
    if case.query:
        case.query.pop("cursor", None)  # Opaque: only one that was given out is any good.
    if "Idempotency-Key" in headers:
        if isinstance(case.body, dict) and case.body.get("id") is not None:
            del headers["Idempotency-Key"]  # One or the other.
        else:  # A key is for one request only.
            headers["Idempotency-Key"] = f"{headers['Idempotency-Key'][:200]}{next(_numbers)}"
    return case
