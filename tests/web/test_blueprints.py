"""Each module of pages is wired into the application."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from flask import Blueprint, Flask

import newsletter.web


def test_each_blueprint_is_registered(app: Flask) -> None:
    """A page that is written and not registered answers nobody."""
    modules = pkgutil.walk_packages(newsletter.web.__path__, "newsletter.web.")
    written = {
        f"{module.name}.{name}": value
        for module in modules
        for name, value in vars(import_module(module.name)).items()
        if isinstance(value, Blueprint)
    }
    assert len(written) > 30
    registered = [id(blueprint) for blueprint in app.blueprints.values()]
    assert [name for name, value in written.items() if id(value) not in registered] == []
