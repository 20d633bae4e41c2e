"""What attackers send where a database is behind: more than 200 strings and JSON values with operators in them."""

from collections.abc import Iterator
from itertools import product
from typing import Any

_OPERATORS = (
    *("$ne", "$eq", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$type", "$mod", "$not", "$nor", "$or"),
    *("$and", "$all", "$size", "$elemMatch", "$regex", "$options", "$where", "$expr", "$jsonSchema", "$text"),
    *("$function", "$accumulator", "$lookup", "$graphLookup", "$unionWith", "$out", "$merge", "$comment", "$rand"),
    *("$set", "$unset", "$inc", "$rename", "$push", "$pull", "$bit", "$currentDate", "$setOnInsert", "$oid", "$date"),
    *("$numberLong", "$binary", "$code", "$scope", "$ref", "$id", "$db", "$timestamp", "$minKey", "$maxKey", "$uuid"),
)
_OPERANDS: tuple[Any, ...] = (None, "", 1, [], {"$gt": ""}, "sleep(5000)")
_CODE = (
    "'; return true; var a='",
    '"; sleep(5000); var b="',
    "function() { return true; }",
    "this.password.match(/.*/)//+%00",
    "true, $where: '1 == 1'",
    ", $where: '1 == 1'",
    "$where: '1 == 1'",
    "';sleep(5000);'",
    "db.sagas.drop()",
    "db.getCollection('sagas').deleteMany({})",
    "{$ne: null}",
    '{"$ne": null}',
    '{"$gt": ""}',
    "[$ne]=1",
    "a[$regex]=.*",
    "__proto__",
    "constructor.prototype",
    "^(a+)+$",
    "(a|aa)+$",
    "(.*a){25}",
    "(?=.*)" * 10,
    ".*",
    "\\",
    "%00",
    "%2e%2e%2f",
    "../../etc/passwd",
    "a.b.c",
    "$",
    ".",
    "..",
    "*",
    "' OR 1=1--",
    "1; DROP TABLE sagas",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "${7*7}",
    "\r\nX-Injected: yes",
    "\x00",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "\u202e",
    "A" * 1_000,
    "-1",
    "0x7f",
    "NaN",
    "Infinity",
    "1e999",
    "null",
    "undefined",
    "[object Object]",
    "*\r\nSET a b\r\n",
    "XADD saga.replies * a b",
    "EVAL return 0",
    "\r\nFLUSHALL\r\n",
)


def texts() -> list[str]:
    """For places that hold text: paths, queries, headers, strings."""
    return [*_CODE, *_OPERATORS, *(f"[{operator}]" for operator in _OPERATORS)]


def values() -> list[Any]:
    """For places that hold JSON."""
    return [*_operating(), *texts(), [{"$where": "1"}], {"a": {"b": {"$ne": 1}}}, {"a.b": 1}, {"a\x00b": 1}]


def _operating() -> Iterator[Any]:
    for operator, operand in product(_OPERATORS, _OPERANDS[:2]):
        yield {operator: operand}
    for operand in _OPERANDS:
        yield {"$regex": operand}
