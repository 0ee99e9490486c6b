"""Parse the segment of a letter, an expression that selects subscribers, into a tree. Pure.

A segment is written like ``cadence == "weekly" and "berlin" in tags``. It is parsed by Python's own
grammar and never executed: whatever is not in the list below is refused.
services/audience/segments.py turns the tree into a query with bound values.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from datetime import date

from newsletter.authoring.segment_terms import (
    Answer,
    Answered,
    Comparison,
    Connective,
    Had,
    Joined,
    Not,
    OfTopic,
    OneOf,
    Tagged,
    Term,
    Untagged,
)
from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.schedule import CADENCES

LENGTH_AT_MOST = 1000
"""Characters of a segment; a longer one cannot be read at a glance, and is slow to parse."""
FIELDS = {
    "cadence": "how often: " + ", ".join(f'"{cadence}"' for cadence in CADENCES),
    "joined": 'the day of confirmation, like "2026-01-31"',
    "tags": 'words you put on subscribers: "berlin" in tags, or tags == none',
    "name": 'the name of a subscriber, "" if unknown',
    "email": "the address, in small letters",
    "domain": 'what stands behind the @: "example.org"',
    "language": 'like "de", "" if unknown',
    "topics": 'what they chose to read about: "sleep" in topics',
    "fields": 'what they filled into your own fields: fields.town == "Berlin"',
}
FUNCTIONS = {
    "agreed": 'a consent of your own that they gave: agreed("workshops")',
    "had": "a campaign that they were sent: had(7)",
}
CAMPAIGNS_AT_MOST = 50
_ORDER = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_LIKE = Text('write one like cadence == "weekly" and "berlin" in tags')
_ALL = ", ".join(CADENCES)
_EARLIEST = date(1970, 1, 1)
_LATEST = date(2999, 12, 31)
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def parse_segment(text: str) -> Term | None:
    """Return the tree of the segment `text`, or None if it is empty (everybody).

    Raises `InvalidInput`, saying what cannot be used.
    """
    if not text.strip():
        return None
    if len(text) > LENGTH_AT_MOST:
        raise _make_error(Text("is longer than %(most)s characters", most=LENGTH_AT_MOST))
    if to_plain_line(text, limit=LENGTH_AT_MOST) != " ".join(text.split()):
        raise _make_error(Text("contains an invalid or control character; remove it"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            tree = ast.parse(" ".join(text.split()), mode="eval").body
        return _parse_term(tree)
    except SyntaxError as error:
        raise _make_error(_find_mistake(text, error)) from None
    except (ValueError, MemoryError, RecursionError):
        raise _make_error(Text("cannot be read; %(hint)s", hint=_LIKE)) from None


def _find_mistake(text: str, error: SyntaxError) -> str:
    """Return the likely mistake in a segment that could not be parsed."""
    if re.search(r"[“”„‘’«»]", text):
        return Text('wants straight quotation marks, "…"')
    if match := re.search(r"\b(AND|OR|NOT|IN)\b|&&|\|\|", text):
        return Text("does not know %(match)s; join conditions with and, or, not", match=match[0])
    if re.search(r"(?<![=!<>])=(?!=)", text):
        return Text("wants == where two things are the same; %(hint)s", hint=_LIKE)
    return Text(
        "cannot be read at character %(offset)s; %(hint)s", offset=error.offset or 1, hint=_LIKE
    )


def _parse_term(node: ast.expr) -> Term:
    match node:
        case ast.BoolOp(op=connective, values=values):
            return Joined(
                Connective.AND if isinstance(connective, ast.And) else Connective.OR,
                tuple(_parse_term(value) for value in values),
            )
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return Not(_parse_term(operand))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _parse_comparison(left, operator, right)
        case ast.Attribute(value=ast.Name(id="fields"), attr=name):
            return Answered(name)
        case ast.Call(func=ast.Name(id="agreed"), args=[argument], keywords=[]):
            return Answered(_get_text(argument), consent=True)
        case ast.Call(func=ast.Name(id="had"), args=[*arguments], keywords=[]) if arguments:
            return Had(_parse_campaign_ids(arguments))
        case ast.Call(func=ast.Name(id=name)):
            raise _make_error(_unknown_function(name))
        case ast.Compare():
            raise _make_error(
                Text("compares more than two things at once; join comparisons with `and`")
            )
    raise _make_error(
        Text("%(written)s is no condition; %(hint)s", written=ast.unparse(node)[:60], hint=_LIKE)
    )


def _parse_comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Term:
    if isinstance(operator, ast.In | ast.NotIn):
        term = _parse_membership(left, right)
        return Not(term) if isinstance(operator, ast.NotIn) else term
    sign = _ORDER.get(type(operator))
    if sign is None:
        raise _make_error(Text("knows ==, !=, <, <=, >, >=, in, not in, and, or, not"))
    if isinstance(left, ast.Constant) and not isinstance(right, ast.Constant):
        sign = _TURNED[sign]
        left, right = right, left  # swapped, so that the field stands on the left
    if isinstance(left, ast.Attribute):
        return _parse_answer(_get_own_field(left), sign, right)
    name = _get_field(left)
    if name == "tags" and sign in ("==", "!=") and _is_none(right):
        return Untagged() if sign == "==" else Not(Untagged())
    value = _get_text(right)
    if name in ("tags", "topics"):
        raise _make_error(
            Text('%(name)s are asked like this: "%(value)s" in %(name)s', name=name, value=value)
        )
    if name == "fields":
        raise _make_error(
            Text('one of your own fields is asked like this: fields.town == "Berlin"')
        )
    if name == "joined":
        return Comparison(name, sign, _parse_day(value))
    if sign not in ("==", "!="):
        raise _make_error(Text("%(name)s is compared with == and !=", name=name))
    return Comparison(name, sign, _check_value(name, value))


def _is_none(node: ast.expr) -> bool:
    """Tell whether a value means "none": as a word, or as an empty list or text."""
    match node:
        case ast.Name(id=word):
            return word.lower() == "none"
        case ast.Constant(value=value):
            return value is None or value == ""
        case ast.List(elts=[]) | ast.Tuple(elts=[]):
            return True
    return False


def _parse_answer(name: str, sign: str, value: ast.expr) -> Term:
    """Parse a comparison of an author's own field with a text, or of a checkbox with a bool."""
    if sign not in ("==", "!="):
        raise _make_error(Text("fields.%(name)s is compared with == and !=", name=name))
    term: Term
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        term = Answered(name) if value.value else Not(Answered(name))
    else:
        term = Answer(name, (_get_text(value),))
    return term if sign == "==" else Not(term)


def _get_own_field(node: ast.Attribute) -> str:
    if isinstance(node.value, ast.Name) and node.value.id == "fields":
        return node.attr
    raise _make_error(
        Text(
            '%(written)s is no field; write fields.town == "Berlin"', written=ast.unparse(node)[:60]
        )
    )


def _parse_membership(left: ast.expr, right: ast.expr) -> Term:
    if isinstance(right, ast.Name) and _get_field(right) == "tags":
        return Tagged(_parse_tag(_get_text(left)))
    if isinstance(right, ast.Name) and _get_field(right) == "topics":
        return OfTopic(_get_text(left).strip())
    if isinstance(right, ast.List | ast.Tuple | ast.Set):
        if isinstance(left, ast.Attribute):
            return Answer(_get_own_field(left), tuple(_get_text(item) for item in right.elts))
        if (name := _get_field(left)) not in ("tags", "joined", "topics", "fields"):
            return OneOf(name, tuple(_check_value(name, _get_text(item)) for item in right.elts))
    raise _make_error(
        Text(
            '`in` is for tags ("berlin" in tags), topics ("sleep" in topics) and lists '
            '(cadence in ["daily", "weekly"])'
        )
    )


def _parse_campaign_ids(nodes: list[ast.expr]) -> tuple[int, ...]:
    """Return the campaign numbers in a term ``had(3, 7)``."""
    numbers = tuple(node.value for node in nodes if isinstance(node, ast.Constant))
    if len(nodes) > CAMPAIGNS_AT_MOST:
        raise _make_error(Text("had() takes %(most)s campaigns at most", most=CAMPAIGNS_AT_MOST))
    ids = tuple(number for number in numbers if type(number) is int and 0 < number < 2**31)
    if len(ids) != len(nodes):
        raise _make_error(Text("had() wants the numbers of campaigns: had(7)"))
    return ids


def _unknown_function(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), FUNCTIONS, n=1)
    if name in FUNCTIONS:
        example = FUNCTIONS[name].rpartition(": ")[2]
        return Text("%(name)s() is written like %(example)s", name=name, example=example)
    hint = (
        Text("did you mean %(near)s()?", near=near[0])
        if near
        else Text("there are %(names)s", names=", ".join(FUNCTIONS))
    )
    return Text("%(name)s is unknown; %(hint)s", name=f"{name}()", hint=hint)


def _get_field(node: ast.expr) -> str:
    if not isinstance(node, ast.Name):
        raise _make_error(
            Text(
                "%(written)s stands where a field is wanted: %(names)s",
                written=ast.unparse(node)[:60],
                names=", ".join(FIELDS),
            )
        )
    if node.id not in FIELDS:
        near = difflib.get_close_matches(node.id.lower(), FIELDS, n=1)
        raise _make_error(
            Text(
                "%(name)s is unknown; %(hint)s",
                name=node.id,
                hint=Text("did you mean %(near)s?", near=near[0])
                if near
                else Text("there are %(names)s", names=", ".join(FIELDS)),
            )
        )
    return node.id


def _get_text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if to_plain_line(node.value, limit=LENGTH_AT_MOST) != " ".join(node.value.split()):
            raise _make_error(Text("contains an invalid or control character; remove it"))
        return node.value
    if isinstance(node, ast.Name):
        raise _make_error(Text('put %(id)s into quotation marks: "%(id)s"', id=node.id))
    raise _make_error(
        Text(
            "%(written)s stands where a text in quotation marks is wanted",
            written=ast.unparse(node)[:60],
        )
    )


def _parse_tag(text: str) -> str:
    if not text.strip():
        raise _make_error(Text("asks for a tag without a name"))
    return text.strip().lower()


def _check_value(name: str, value: str) -> str:
    if name in ("cadence", "language", "email", "domain"):
        value = value.strip().lower()
    if name == "cadence" and value not in CADENCES:
        near = difflib.get_close_matches(value, CADENCES, n=1)
        raise _make_error(
            Text(
                '"%(value)s" is not a cadence; %(hint)s',
                value=value,
                hint=Text("did you mean %(near)s?", near=near[0])
                if near
                else Text("there are %(names)s", names=_ALL),
            )
        )
    return value.removeprefix("@") if name == "domain" else value


def _parse_day(value: str) -> date:
    try:
        day = date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.A) else None
    except ValueError:
        day = None
    if day is None:
        raise _make_error(Text('"%(value)s" is not a date; use one like "2026-01-31"', value=value))
    return min(max(day, _EARLIEST), _LATEST)


def _make_error(problem: str) -> InvalidInput:
    return InvalidInput({"segment": problem})
