"""JSON schemas of models as parts of a larger document: their own definitions move to its components. Pure."""

from typing import Any

ROOT = "#/components/schemas/"

Json = dict[str, Any]


def reference(name: str) -> Json:
    """The component of this name."""
    return {"$ref": f"{ROOT}{name}"}


def lifted(schema: Json, prefix: str, components: Json) -> Json:
    """The schema without definitions of its own; they become components, their names behind the prefix."""
    for name, definition in schema.get("$defs", {}).items():
        components[prefix + name] = _renamed(definition, prefix)
    return {key: _renamed(item, prefix) for key, item in schema.items() if key != "$defs"}


def _renamed(value: Any, prefix: str) -> Any:
    if isinstance(value, list):
        return [_renamed(item, prefix) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"{ROOT}{prefix}{item.removeprefix('#/$defs/')}" if key == "$ref" else _renamed(item, prefix)
        for key, item in value.items()
    }
