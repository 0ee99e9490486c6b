"""Load `Settings` from newsletter.toml and the NEWSLETTER_* environment.

The environment is laid over the file, and both are validated once, so that every mistake is
reported at once with its key, its place and its remedy. Opens no database and no connection.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from newsletter.errors import SettingsError
from newsletter.settings import (
    CONFIG_VARIABLE,
    DEFAULT_FILE,
    NO_SETTINGS,
    PREFIX,
    Settings,
    list_keys,
)


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Load settings from a file, overridden by the environment.

    The file is `path`, else ``$NEWSLETTER_CONFIG``, else ``./newsletter.toml``. Raises
    `SettingsError` with every problem.
    """
    environ = environ or {}
    chosen = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    file = chosen or Path(DEFAULT_FILE)
    problems: list[str] = []
    values = _read_file(file, problems, required=chosen is not None)
    places = dict.fromkeys(_list_names(values), str(file))
    _apply_environment(values, places, environ, problems)
    folder = file.resolve().parent
    values.setdefault("database_url", "sqlite:///newsletter.db")
    try:
        settings = Settings.model_validate({**values, "folder": folder, "file": file})
    except ValidationError as error:
        problems.extend(_describe_problem(item, places, file) for item in error.errors())
    if problems:
        raise SettingsError(list(dict.fromkeys(problems)))
    return settings.model_copy(
        update={"database_url": _resolve_database_url(settings.database_url, folder)}
    )


def _read_file(file: Path, problems: list[str], *, required: bool) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        if required:
            problems.append(f"{file}: there is no such file; `newsletter init` makes one")
        return {}
    except OSError as error:
        problems.append(f"{file}: cannot be read ({error.strerror})")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: not valid TOML: {error}")
        return {}
    for name in NO_SETTINGS:
        if name in values:
            problems.append(f"{file}: {name}: unknown setting; remove it")
            del values[name]
    return values


class KeyReader:
    """Returns the keys that open links: those of `settings`, and those written down since.

    `key rotate` gives a new key to whoever starts after it, such as a command that mails; a process
    that runs on signs with the key it has, and opens what the new one has signed. So nobody who
    leaves by a link is refused before that process is restarted.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._keys = settings.signing_keys
        self._file = settings.file
        self._environ = environ
        self._seen: tuple[int, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """Return all keys, the one that signs first; reads the file again if it has changed."""
        state = self._look_at_file()
        if self._file is not None and state and state != self._seen:
            with suppress(SettingsError):  # somebody is writing it; what is known still opens
                written = load_settings(self._file, self._environ).signing_keys
                self._keys = tuple(dict.fromkeys((*self._keys, *written)))
            self._seen = state
        return self._keys

    def _look_at_file(self) -> tuple[int, ...]:
        """Return what changes with every change of the file; nothing where it cannot be seen."""
        try:
            stat = self._file.stat() if self._file is not None else None
        except OSError:
            return ()
        return (stat.st_ino, stat.st_mtime_ns, stat.st_size) if stat is not None else ()


def _list_names(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _list_names(value, f"{prefix}{name}.")
        yield prefix + name


def _apply_environment(
    values: dict[str, Any], places: dict[str, str], environ: Mapping[str, str], problems: list[str]
) -> None:
    variables = {PREFIX + key.upper().replace(".", "__"): key for key in list_keys()}
    for variable in sorted(
        name for name in environ if name.startswith(PREFIX) and name != CONFIG_VARIABLE
    ):
        name = variable.removesuffix("_FILE") if variable not in variables else variable
        key = variables.get(name)
        if key is None:
            problems.append(f"{variable}: unknown setting{_suggest_name(variable, variables)}")
            continue
        value = environ[variable]
        if name != variable:
            try:
                value = Path(value).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError):
                problems.append(f"{variable}: the file it names cannot be read")
                continue
        *tables, leaf = key.split(".")
        target: Any = values
        for table in tables:
            target = target.setdefault(table, {}) if isinstance(target, dict) else None
        if isinstance(target, dict):
            target[leaf] = value
            places[key] = variable


def _describe_problem(item: Any, places: Mapping[str, str], file: Path) -> str:
    parts = [str(part) for part in item["loc"] if not isinstance(part, int)]
    key = ".".join(parts[:4] if parts[1:2] == ["hooks"] else parts[:2])
    place = places.get(key, str(file))
    where = place if place.startswith(PREFIX) else f"{place}: {key}"
    if item["type"] == "extra_forbidden":
        hint = _say_where_it_belongs(parts, item["input"]) or _suggest_name(key, list(list_keys()))
        return f"{where}: unknown setting{hint}"
    if item["type"] == "missing":
        variable = PREFIX + key.upper().replace(".", "__")
        return (
            f"{file}: {key}: missing; put it there or into {variable} (`newsletter init` makes one)"
        )
    if item["type"] == "model_type":
        return f"{where}: is a table; write [{key}] on a line of its own, and its settings below it"
    return f"{where}: {item['msg'].removeprefix('Value error, ')}"


def _say_where_it_belongs(parts: list[str], value: object) -> str:
    """Return a hint for a known setting in the wrong table, "" otherwise.

    A line `web.trusted_proxies = 1` below `[signup]` is `signup.web.trusted_proxies` in TOML.
    """
    leaves = [".".join([*parts, *path]) for path in _list_paths(value)]
    for known in list_keys():
        table, _, name = known.rpartition(".")
        if any(leaf == known or leaf.endswith(f".{known}") for leaf in leaves) or (
            table and len(parts) == 2 and parts[-1] == name
        ):
            place = f"write {name} under [{table}]" if table else f"write {name} above the first ["
            return f"; {known} belongs elsewhere: {place}"
    return ""


def _list_paths(value: object) -> list[list[str]]:
    """Return the paths of the settings in a value that may be a table."""
    if not isinstance(value, dict):
        return [[]]
    return [[str(name), *path] for name, inner in value.items() for path in _list_paths(inner)]


def _suggest_name(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else "; remove it"


def _resolve_database_url(url: str, folder: Path) -> str:
    """Resolve a relative SQLite path against the folder of the settings file."""
    prefix = "sqlite:///"
    name = url.removeprefix(prefix)
    if not url.startswith(prefix) or not name or name.startswith((":memory:", "/", "file:")):
        return url
    return f"{prefix}{folder / name}"
