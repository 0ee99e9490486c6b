"""Compile addresses and templates once for all applications of a test process.

Nearly every test makes an application, and each compiles about 200 addresses (0.1 s) and the
templates that it shows. Both depend on their source alone, so that later applications take what the
first has compiled; everything else of an application is its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
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
