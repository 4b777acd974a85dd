"""Checks answers that Stripe's SDK has read against the types that the SDK declares for them.

The SDK converts an answer to its classes without a check: a wrong or missing member shows only when a program uses it.
"""

import ast
import functools
import importlib
import inspect
import sys
import typing

from stripe._list_object import ListObject
from stripe._stripe_object import StripeObject, UntypedStripeObject

# Documented members that the SDK declares no type for. Some lists say how many elements they have.
UNDECLARED = {"ListObject": {"object", "total_count"}}


class Mismatch(Exception):
    """A value is not of its declared type."""


def check(value, path):
    """Checks an object and all that it contains. Returns the number of objects."""
    if not isinstance(value, StripeObject) or type(value) is StripeObject:
        raise Mismatch(f"{path}: {describe(value)} is not an object that the SDK knows")
    return check_object(value, path)


def check_object(value, path):
    data, declared = value._data, members(type(value))
    # A deleted object has no members but its id.
    if data.get("deleted") is True:
        declared = {name: declared[name] for name in ("id", "object", "deleted") if name in declared}
    unknown = set(data) - set(declared) - UNDECLARED.get(type(value).__name__, set())
    if unknown:
        raise Mismatch(f"{path}: {type(value).__qualname__} has no member {', '.join(sorted(unknown))}")
    objects = 1
    for name, hint in declared.items():
        if name in data:
            objects += check_value(data[name], hint, f"{path}.{name}")
        elif not is_optional(hint):
            raise Mismatch(f"{path}: {type(value).__qualname__} lacks the member {name}")
    return objects


def check_value(value, hint, path):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:
        return check_union(value, arguments, path)
    if hint is typing.Any:
        return 0
    if origin is typing.Literal:
        return expect(value in arguments, value, hint, path)
    if origin is list:
        expect(isinstance(value, list), value, hint, path)
        return sum(check_value(element, arguments[0], f"{path}[{index}]") for index, element in enumerate(value))
    if origin is dict:
        expect(isinstance(value, dict), value, hint, path)
        return sum(check_value(element, arguments[1], f"{path}.{name}") for name, element in value.items())
    if origin is UntypedStripeObject:
        expect(isinstance(value, StripeObject), value, hint, path)
        return 1 + sum(check_value(element, arguments[0], f"{path}.{name}") for name, element in value._data.items())
    if origin is ListObject:
        expect(isinstance(value, ListObject), value, hint, path)
        for index, element in enumerate(value.data):
            check_value(element, arguments[0], f"{path}.data[{index}]")
        return check_object(value, path)
    if inspect.isclass(hint) and issubclass(hint, StripeObject):
        expect(isinstance(value, hint), value, hint, path)
        return check_object(value, path)
    if isinstance(hint, typing.TypeVar):
        return check(value, path)
    number = hint in (int, float) and isinstance(value, bool)
    return expect(isinstance(value, hint) and not number, value, hint, path)


def check_union(value, hints, path):
    """Checks a value against the first type of a union that fits; reports the one that nearly does."""
    if value is None:
        return expect(type(None) in hints, value, typing.Union[hints], path)
    nearest = None
    for hint in hints:
        try:
            return check_value(value, hint, path)
        except Mismatch as mismatch:
            general = typing.get_origin(hint) or hint
            if inspect.isclass(general) and isinstance(value, general):
                nearest = mismatch
    raise nearest or Mismatch(f"{path}: {describe(value)} is not {name_of(typing.Union[hints])}")


def expect(holds, value, hint, path):
    if not holds:
        raise Mismatch(f"{path}: {describe(value)} is not {name_of(hint)}")
    return 0


def describe(value):
    return f"{type(value).__qualname__} {str(value)[:80]!r}"


def name_of(hint):
    text = hint.__qualname__ if inspect.isclass(hint) else str(hint).replace("typing.", "")
    return text if len(text) < 300 else f"{text[:300]}…"


def is_optional(hint):
    return hint is typing.Any or (typing.get_origin(hint) is typing.Union and type(None) in typing.get_args(hint))


@functools.cache
def members(declaring):
    """The members of a class and their types, whose names are those of the API."""
    hints = typing.get_type_hints(declaring, globalns=names_of(declaring.__module__))
    remapped = getattr(declaring, "_field_remappings", {})
    return {remapped.get(name, name): hint for name, hint in hints.items() if is_member(name, hint)}


def is_member(name, hint):
    return not name.startswith("_") and not name.isupper() and typing.get_origin(hint) is not typing.ClassVar


@functools.cache
def names_of(module):
    """The names of a module, with those that it imports for type checkers only."""
    loaded = sys.modules[module]
    names = dict(vars(loaded))
    for statement in ast.parse(inspect.getsource(loaded)).body:
        if isinstance(statement, ast.If) and getattr(statement.test, "id", "") == "TYPE_CHECKING":
            for imported in statement.body:
                if isinstance(imported, ast.ImportFrom) and not imported.module.startswith("stripe.params"):
                    source = importlib.import_module(imported.module)
                    names.update({name.asname or name.name: getattr(source, name.name) for name in imported.names})
    return names
