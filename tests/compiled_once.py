"""Compile addresses, templates and statements once for all applications of a test process.

Nearly every test makes an application, and each compiles about 200 addresses (0.1 s), the templates
that it shows, and the statements of its database. All depend on their source alone, so that later
applications take what the first has compiled; everything else of an application is its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule


class _Templates(BytecodeCache):
    """Compiled templates in memory, by file; Jinja compares their source."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


def share_compiled_addresses() -> None:
    """Let rules with the same address share the functions that werkzeug compiles to build it."""
    compile_builder = Rule._compile_builder
    known: dict[object, Callable[..., tuple[str, str]]] = {}

    def find_builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if rule.defaults:  # compiled in
            return compile_builder(rule, append_unknown)
        key = (rule.rule, tuple(rule._trace), append_unknown)
        if key not in known:
            known[key] = compile_builder(rule, append_unknown)
        return known[key]

    changed: Any = Rule
    changed._compile_builder = find_builder


def share_compiled_templates() -> None:
    """Let each Jinja environment take templates that another one has compiled."""
    initialize = Environment.__init__
    templates = _Templates()

    def initialize_with_templates(environment: Environment, *args: Any, **options: Any) -> None:
        initialize(environment, *args, **options)
        environment.bytecode_cache = environment.bytecode_cache or templates

    changed: Any = Environment
    changed.__init__ = initialize_with_templates


def share_compiled_statements() -> None:
    """Let the engines of one kind of database share statements, as those of one engine do.

    SQLAlchemy keeps a compiled statement for each dialect, which every engine makes anew.
    """
    statements: dict[object, LRUCache[Any, Any]] = {}

    def get_statements(engine: Engine) -> LRUCache[Any, Any]:
        return statements.setdefault(_name_kind(engine.dialect), LRUCache(3000))

    def set_statements(engine: Engine, its_own: object) -> None:
        """Leave those of all engines of its kind in their place."""

    changed: Any = Engine
    changed._compiled_cache = property(get_statements, set_statements)
    dialects: Any = DefaultDialect
    dialects.__hash__ = lambda dialect: hash(type(dialect))
    dialects.__eq__ = lambda one, other: (
        isinstance(other, DefaultDialect) and _name_kind(one) == _name_kind(other)
    )


def _name_kind(dialect: Dialect) -> object:
    return type(dialect), dialect.paramstyle
