"""Examples of a message, made from its JSON schema: the smallest that is valid, with numbers and words that vary.

For inputs that nobody has given and for the replies of participants that nobody has written. A field or a model that
has `examples` gets one of these. Raises `NoExample` where a schema wants more than can be guessed, such as a pattern.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any, TypeVar

from pydantic import BaseModel

ModelT = TypeVar("ModelT", bound=BaseModel)

Json = Any
Schema = Mapping[str, Any]

_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath")
_FORMATS = {
    "date-time": "2030-01-31T12:00:00Z",
    "date": "2030-01-31",
    "time": "12:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "somebody@example.org",
    "uri": "https://example.org/",
}


_GIVE = "give examples of your own, as in Field(examples=[…])"


class NoExample(ValueError):
    """No example could be made; the message says of what, and what to do."""


def example(model: type[BaseModel], rng: Random) -> dict[str, Json]:
    """A valid value of the model, as JSON; only what is required is filled."""
    value, _ = _made(model, rng)
    return value


def instance(model: type[ModelT], rng: Random) -> ModelT:
    """An example as the model has it."""
    _, made = _made(model, rng)
    return made


def _made(model: type[ModelT], rng: Random) -> tuple[dict[str, Json], ModelT]:
    schema = _schema(model)
    value = _value(schema, schema.get("$defs", {}), rng, model.__name__)
    assert isinstance(value, dict)
    try:
        return value, model.model_validate(value)
    except ValueError as error:
        raise NoExample(f"{model.__name__}: {_GIVE}; the one that was made is refused: {error}") from None


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema(mode="validation")


def _value(schema: Schema, defs: Mapping[str, Schema], rng: Random, where: str) -> Json:
    if "$ref" in schema:
        return _value(defs[schema["$ref"].rpartition("/")[2]], defs, rng, where)
    if "const" in schema:
        return schema["const"]
    if schema.get("examples"):
        return rng.choice(schema["examples"])
    if "enum" in schema:
        return rng.choice(schema["enum"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            choices = [one for one in schema[several] if one.get("type") != "null"] or schema[several]
            return _value(choices[0], defs, rng, where)
    make = _MAKERS.get(schema.get("type", "object"))
    if make is None:
        raise NoExample(f"{where}: {_GIVE}; none is known for {schema.get('type')!r}")
    return make(schema, defs, rng, where)


def _object(schema: Schema, defs: Mapping[str, Schema], rng: Random, where: str) -> Json:
    wanted = schema.get("required", ())
    properties = schema.get("properties", {})
    return {name: _value(properties[name], defs, rng, f"{where}.{name}") for name in wanted if name in properties}


def _array(schema: Schema, defs: Mapping[str, Schema], rng: Random, where: str) -> Json:
    if "prefixItems" in schema:
        return [_value(item, defs, rng, where) for item in schema["prefixItems"]]
    return [_value(schema.get("items", {"type": "string"}), defs, rng, where) for _ in range(schema.get("minItems", 0))]


def _string(schema: Schema, _defs: Mapping[str, Schema], rng: Random, where: str) -> Json:
    if "format" in schema and schema["format"] in _FORMATS:
        return _FORMATS[schema["format"]]
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 64)
    text = rng.choice(_WORDS).ljust(shortest, "a")[:longest]
    pattern = schema.get("pattern")
    fitting = (
        one for one in (text, text.upper(), "1".ljust(shortest, "1"), "") if not pattern or re.search(pattern, one)
    )
    found = next(fitting, None)
    if found is None:
        raise NoExample(f"{where}: {_GIVE}; nothing was found that matches {pattern!r}")
    return found


def _integer(schema: Schema, _defs: Mapping[str, Schema], rng: Random, _where: str) -> Json:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + (1 if "exclusiveMinimum" in schema else 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 10) - (1 if "exclusiveMaximum" in schema else 0))
    step = schema.get("multipleOf", 1)
    value = rng.randint(low, min(high, low + 9 * step))
    return value - value % step if value - value % step >= low else low + (-low) % step


def _number(schema: Schema, defs: Mapping[str, Schema], rng: Random, where: str) -> Json:
    return float(_integer({name: int(value) for name, value in schema.items() if name in _LIMITS}, defs, rng, where))


_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_MAKERS: Mapping[str, Callable[[Schema, Mapping[str, Schema], Random, str], Json]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda _schema, _defs, rng, _where: rng.random() < 0.5,
    "null": lambda *_: None,
}
