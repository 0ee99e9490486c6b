"""Run the author's Jinja: no files, only allowed attributes, and a limit on all that can grow.

A few filters and methods are allowed by name, because a subscriber's fields need little. The values
they return and the items of a loop are limited where they arise; the output of a template is
counted as it is written. No limit is a time in seconds, so that a busy machine refuses no letter.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from datetime import date
from functools import wraps
from itertools import islice
from typing import Any, cast

from jinja2 import (
    ChainableUndefined,
    StrictUndefined,
    TemplateError,
    Undefined,
    UndefinedError,
    nodes,
    pass_context,
)
from jinja2.filters import FILTERS as JINJAS
from jinja2.runtime import Context, LoopContext, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from newsletter.mail.templating.allowed_names import (
    DATE_ATTRIBUTES,
    FILTERS,
    LOOP_ATTRIBUTES,
    TESTS,
    TEXT_METHODS,
)

ROUNDS_AT_MOST = 1000
"""Iterations of a loop and items of a value; no letter needs as many."""
TEXT_AT_MOST = 2000
"""Characters of one value, and of one Jinja tag."""
NUMBER_AT_MOST = 10**15
"""The largest absolute number: the digits of larger ones would grow without a limit."""
OUTPUT_AT_MOST = 2_000_000
"""Characters that a letter's template writes for one subscriber."""
STEPS_AT_MOST = 20_000
"""Steps of a letter's template for one subscriber: each node is one, a filter is ten."""


class Unset(Undefined):
    """A field that a subscriber has not filled in.

    It is false, and ``or`` and ``default`` replace it; writing it is an error.
    """

    @property
    def _undefined_message(self) -> str:
        name = self._undefined_name
        return f'{name} is not set; write {{{{ {name} or "friend" }}}} for those who have none'

    def __str__(self) -> str:
        raise UndefinedError(self._undefined_message)


class LeftOut(ChainableUndefined):
    """A field of the archive's anonymous visitor, about whom nothing is known.

    It is false, and ``or`` and ``default`` replace it. Written by itself it is an ellipsis, so that
    the sentence around it stays readable. Its attributes behave in the same way.
    """

    def __str__(self) -> str:
        return "…"

    def __call__(self, *arguments: object, **options: object) -> LeftOut:  # type: ignore[override]
        return self


class Sandbox(ImmutableSandboxedEnvironment):
    """The sandboxed Jinja environment for letters.

    `fields` are the allowed attributes of each class of a subscriber's values; for a class in
    `lookup`, the function decides.
    """

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(
        self,
        *,
        html: bool,
        fields: Mapping[type, Iterable[str]],
        lookup: Mapping[type, Callable[[Any, str], Any]],
    ) -> None:
        super().__init__(
            autoescape=html,
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            optimized=False,
            finalize=_check_output,
        )
        self.filters = {name: _make_bounded(JINJAS[name]) for name in FILTERS}
        self.filters |= {
            "round": _make_bounded(_round),
            "field_link": _link,
            "steps": _count_steps,
            "together": _make_bounded(
                lambda parts: (markup_join if html else str_join)(map(_check_output, parts))
            ),
        }
        self.tests = {name: self.tests[name] for name in TESTS}
        self.globals = {"range": range}
        self._fields = {
            str: TEXT_METHODS,
            date: DATE_ATTRIBUTES,
            LoopContext: LOOP_ATTRIBUTES,
        } | dict(fields)
        self._lookup = lookup

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an allowed attribute; raise `TemplateError` for any other."""
        if isinstance(obj, LeftOut):
            return obj
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()
        if find := self._lookup.get(type(obj)):
            return find(obj, attribute)
        for kind, listed in self._fields.items():
            if isinstance(obj, kind) and attribute in listed:
                return getattr(obj, attribute)
        raise TemplateError(f".{attribute} is not for letters")

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item by its number, or a field by its name."""
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        return obj[argument]

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call an allowed method, ``range`` or ``resource``; its result must not be too large."""
        return check_size(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers, or join two texts."""
        for side in (left, right):
            if isinstance(side, Undefined):
                return str(side)  # raises where it is not set; an ellipsis in the archive
        numbers = all(isinstance(side, int | float) for side in (left, right))
        texts = operator == "+" and all(isinstance(side, str) for side in (left, right))
        if operator == "**" or not (numbers or texts):
            raise TemplateError(
                f"{operator} is for numbers only" if operator != "**" else "** is not for letters"
            )
        return check_size(self.binop_table[operator](left, right))

    def compile_counted(self, source: str) -> Template:
        """Compile a template that counts its steps.

        Raises `TemplateError`.
        """
        try:
            return Template(self, source)
        except (RecursionError, MemoryError, SyntaxError, ValueError) as error:
            raise TemplateError(f"cannot be read: {error}") from None


class Template:
    """A compiled Jinja template of a letter, to be rendered for one subscriber after another."""

    def __init__(self, sandbox: Sandbox, source: str) -> None:
        tree = _Counting().visit(sandbox.parse(source))
        tree.set_environment(sandbox)
        self._cost = count_steps(tree)
        self._template = sandbox.from_string(tree)

    def render(self, known: Mapping[str, object]) -> str:
        """Render the template for a subscriber.

        Raises one of `RENDERING_ERRORS` (mail/render.py).
        """
        steps_left = _StepsLeft()
        steps_left.take(self._cost)
        pieces = cast(
            Generator[str, None, None], self._template.generate(known, steps_left=steps_left)
        )
        out: list[str] = []
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > OUTPUT_AT_MOST:
                # Thrown where it was writing, which has a line.
                pieces.throw(TemplateError("the letter grows too long"))
            out.append(piece)
        return "".join(out)


class _StepsLeft:
    """The steps that a letter's template may still take for a subscriber."""

    def __init__(self) -> None:
        self._steps = STEPS_AT_MOST

    def take(self, steps: int) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise TemplateError(
                "too much to do for every subscriber; use fewer fields, loops and filters"
            )


class _Counting(NodeTransformer):
    """A transformer that makes loops count their steps, and limits texts that are joined."""

    def visit_For(self, node: nodes.For, *_: Any) -> nodes.Node:  # noqa: N802 (Jinja's name)
        self.generic_visit(node)
        parts = (*node.body, *([node.test] if node.test else []))
        steps = sum(count_steps(part) for part in parts)
        node.iter = _filter(cast(nodes.Expr, node.iter), "steps", nodes.Const(steps + 1))
        return node

    def visit_Concat(self, node: nodes.Concat, *_: Any) -> nodes.Node:  # noqa: N802 (Jinja's name)
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "together")


def _filter(node: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def count_steps(node: nodes.Node) -> int:
    """Count the steps of a part of a template that is executed once."""
    heavy = isinstance(node, nodes.Filter | nodes.Call | nodes.Concat)
    return (10 if heavy else 1) + sum(count_steps(child) for child in node.iter_child_nodes())


def check_size(value: Any) -> Any:
    """Return `value` if it is not too large, with iterables as lists.

    Raises `TemplateError`.
    """
    if isinstance(value, str):
        if len(value) > TEXT_AT_MOST:
            raise TemplateError(f"a field grows longer than {TEXT_AT_MOST} characters")
    elif isinstance(value, int):
        if abs(value) > NUMBER_AT_MOST:
            raise TemplateError("a number is too large")
    elif isinstance(value, range | list | tuple | Iterator):
        return _list_few(value)
    return value


def _list_few(value: Iterable[Any]) -> list[Any]:
    items = list(islice(value, ROUNDS_AT_MOST + 1))
    if len(items) > ROUNDS_AT_MOST:
        raise TemplateError(f"more than {ROUNDS_AT_MOST} rounds, or parts")
    return items


def _make_bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a version of a filter that checks the size of its result."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return check_size(function(*args, **kwargs))

    return run


def _check_output(value: Any) -> Any:
    """Return a value if it may be written: a text, a number or a date."""
    if isinstance(value, str | int | float | date | Undefined) or value is None:
        return value
    raise TemplateError('a list cannot be written; write {{ …|join(", ") }}')


def _round(value: float, precision: int = 0) -> float:
    return round(value, max(0, min(precision, 10)))


def _link(value: object) -> str:
    text = str(value)
    if not text.startswith(("https://", "http://", "mailto:")):
        raise TemplateError("a link's address must begin with https://")
    return text


@pass_context
def _count_steps(context: Context, value: Iterable[Any], steps: int) -> list[Any]:
    """Return the items of a loop, and count the steps of its iterations."""
    items = _list_few(value)
    context["steps_left"].take(len(items) * steps)
    return items
