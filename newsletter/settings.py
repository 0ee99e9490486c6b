"""Frozen `Settings` out of newsletter.toml and the NEWSLETTER_* environment.

Reads the two sources, lays the environment over the file, and validates once, so that every mistake is reported at
once with its key, its place and the mend. Opens no database and no connection.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from newsletter.errors import SettingsError

PREFIX = "NEWSLETTER_"
CONFIG_VARIABLE = "NEWSLETTER_CONFIG"
DEFAULT_FILE = "newsletter.toml"

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)\s*([smhd])")
_GUESSABLE = {"changeme", "change-me", "secret", "password", "dev", "test", "secret_key", "your-secret-key"}


def duration(value: object) -> timedelta:
    """``60``, ``"90 s"``, ``"15m"``, ``"48h"`` or ``"4d"`` as a timedelta. Raises `ValueError`."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(seconds=value)
    text = str(value).strip().lower()
    if match := _DURATION.fullmatch(text):
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if text.isdecimal():
        return timedelta(seconds=int(text))
    raise ValueError('a length of time is a number with s, m, h or d, like "90s" or "48h"')


def _durations(value: object) -> tuple[timedelta, ...]:
    if isinstance(value, str):
        return tuple(duration(word) for word in value.replace(",", " ").split())
    if isinstance(value, list | tuple) and value:
        return tuple(duration(item) for item in value)
    raise ValueError('a row of lengths of time, like "1m 5m 15m 1h"')


def _words(value: object) -> object:
    return tuple(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) and value.strip() else value


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text.strip().lower() in _GUESSABLE or len(text.strip()) < 16:
        raise ValueError("too easy to guess; put 32 random characters there (`newsletter init` makes one)")
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a full address like https://news.example.com")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("must be a plain address without user, query or fragment")
    return value.rstrip("/")


def _database_url(value: str) -> str:
    if not re.match(r"(sqlite|postgresql(\+psycopg)?)://", value):
        raise ValueError("must start with sqlite:/// or postgresql+psycopg://")
    return re.sub(r"^postgresql://", "postgresql+psycopg://", value)


def _smtp_urls(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for url in value:
        parts = urlsplit(url.get_secret_value())
        try:
            usable = parts.scheme in ("smtp", "smtp+starttls", "smtps") and parts.hostname and (parts.port or 1)
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("must look like smtp://user:password@host:587, smtp+starttls://… or smtps://…")
    if not value:
        raise ValueError("names no server")
    return value


class Ceiling(NamedTuple):
    """At most `most` in any `seconds`."""

    most: int
    seconds: int


_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_CEILING = re.compile(r"([1-9]\d*)/(second|minute|hour|day)")


def ceiling(text: str) -> Ceiling:
    """``500/hour``. Raises `ValueError`."""
    if not (found := _CEILING.fullmatch(text.strip())):
        raise ValueError('a ceiling is a number a second, minute, hour or day, like "500/hour"')
    return Ceiling(int(found[1]), _PERIODS[found[2]])


def _domain_ceilings(value: object) -> object:
    """``gmail.com=500/hour *=2000/hour`` as {domain: ceiling}."""
    if not isinstance(value, str):
        return value
    pairs = [word.partition("=") for word in value.replace(",", " ").split()]
    if not all(domain and rate for domain, _, rate in pairs):
        raise ValueError('names domains and their ceilings, like "gmail.com=500/hour *=2000/hour"')
    return {domain.lower(): ceiling(rate) for domain, _, rate in pairs}


def _warmup(value: object) -> object:
    """``50/day doubling`` as 50."""
    if value is None or isinstance(value, int):
        return value
    if not (found := re.fullmatch(r"([1-9]\d*)/day doubling", " ".join(str(value).split()))):
        raise ValueError('is written like "50/day doubling"')
    return int(found[1])


def _return_address(value: str) -> str:
    # The local part grows by the reference of a message and may have 64 octets then (RFC 5321 §4.5.3.1.1).
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,24}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", value):
        raise ValueError("must be a plain address like bounces@news.example.com")
    return value


Duration = Annotated[timedelta, BeforeValidator(duration)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Positive = Annotated[int, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


class Smtp(_Table):
    """How mail leaves."""

    url: Annotated[tuple[SecretStr, ...], BeforeValidator(_words), AfterValidator(_smtp_urls)] = (
        SecretStr("smtp://localhost:25"),
    )
    connections: Annotated[int, Field(gt=0, le=100)] = 4
    max_per_second: Annotated[float, Field(gt=0)] | None = None
    max_per_hour: Positive | None = None
    max_per_day: Positive | None = None
    max_per_domain: Annotated[dict[str, Ceiling], BeforeValidator(_domain_ceilings)] = {}
    warmup: Annotated[Positive | None, BeforeValidator(_warmup)] = None
    retry_after: Annotated[tuple[timedelta, ...], BeforeValidator(_durations)] = _durations("1m 5m 15m 1h 4h 8h")
    patience: Annotated[Duration, Field(le=timedelta(days=4))] = timedelta(hours=48)
    timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=60)
    ca_file: Path | None = None


class Bounces(_Table):
    """Where returned mail is found."""

    mailbox: SecretStr | None = None
    address: Annotated[str, AfterValidator(_return_address)] | None = None


class Feeds(_Table):
    """How feeds are fetched."""

    allow_private_addresses: bool = False


class SignUp(_Table):
    """Who may sign up, and how many an hour."""

    per_ip: Positive = 20
    per_network: Positive = 60
    per_list: Positive = 3_000
    overall: Positive = 10_000
    proven_factor: Annotated[int, Field(ge=1, le=100)] = 3
    refuse_role_addresses: bool = True
    refuse_disposable: bool = False
    refuse_domains: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()
    check_domains: bool = True
    free_confirmations: Positive = 200
    keep_ip: Duration = timedelta(days=30)


class Web(_Table):
    """What stands before the pages."""

    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0


class Settings(_Table):
    """Everything an installation is told from outside; what belongs to a list is in the database."""

    secret_key: Secret
    secret_key_fallbacks: Annotated[tuple[Secret, ...], BeforeValidator(_words)] = ()
    base_url: Annotated[str, AfterValidator(_base_url)] = "http://localhost:8025"
    database_url: Annotated[str, AfterValidator(_database_url)] = "sqlite:///newsletter.db"
    smtp: Smtp = Smtp()
    bounces: Bounces = Bounces()
    feeds: Feeds = Feeds()
    signup: SignUp = SignUp()
    web: Web = Web()
    folder: Path = Path()

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """The key that signs, then those that only verify."""
        return tuple(key.get_secret_value() for key in (self.secret_key, *self.secret_key_fallbacks))


def keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every setting's dotted name, in the order of the table in the docs."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Table):
            yield from keys(field.annotation, f"{prefix}{name}.")
        elif name != "folder":
            yield prefix + name


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `path`, else ``$NEWSLETTER_CONFIG``, else ``./newsletter.toml``, under the environment.

    Raises `SettingsError` with every mistake there is.
    """
    environ = environ or {}
    chosen = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    file = chosen or Path(DEFAULT_FILE)
    problems: list[str] = []
    values = _read_file(file, problems, required=chosen is not None)
    places = dict.fromkeys(_flat(values), str(file))
    _lay_over(values, places, environ, problems)
    folder = file.resolve().parent
    values.setdefault("database_url", "sqlite:///newsletter.db")
    try:
        settings = Settings.model_validate({**values, "folder": folder})
    except ValidationError as error:
        problems.extend(_problem(item, places, file) for item in error.errors())
    if problems:
        raise SettingsError(list(dict.fromkeys(problems)))
    return settings.model_copy(update={"database_url": _beside(settings.database_url, folder)})


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
    if "folder" in values:
        problems.append(f"{file}: folder: unknown setting; remove it")
        del values["folder"]
    return values


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        yield prefix + name


def _lay_over(values: dict[str, Any], places: dict[str, str], environ: Mapping[str, str], problems: list[str]) -> None:
    variables = {PREFIX + key.upper().replace(".", "__"): key for key in keys()}
    for variable in sorted(name for name in environ if name.startswith(PREFIX) and name != CONFIG_VARIABLE):
        name = variable.removesuffix("_FILE") if variable not in variables else variable
        key = variables.get(name)
        if key is None:
            problems.append(f"{variable}: unknown setting{_did_you_mean(variable, variables)}")
            continue
        value = environ[variable]
        if name != variable:
            try:
                value = Path(value).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError):
                problems.append(f"{variable}: the file it names cannot be read")
                continue
        table, _, leaf = key.rpartition(".")
        target = values.setdefault(table, {}) if table else values
        if isinstance(target, dict):
            target[leaf] = value
            places[key] = variable


def _problem(item: Any, places: Mapping[str, str], file: Path) -> str:
    parts = [str(part) for part in item["loc"] if not isinstance(part, int)]
    key = ".".join(parts[:2])
    place = places.get(key, str(file))
    where = place if place.startswith(PREFIX) else f"{place}: {key}"
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown setting{_did_you_mean(key, list(keys()))}"
    if item["type"] == "missing":
        variable = PREFIX + key.upper().replace(".", "__")
        return f"{file}: {key}: missing; put it there or into {variable} (`newsletter init` makes one)"
    return f"{where}: {item['msg'].removeprefix('Value error, ')}"


def _did_you_mean(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else "; remove it"


def _beside(url: str, folder: Path) -> str:
    """A relative SQLite path stands beside the settings file, wherever the command is run."""
    prefix = "sqlite:///"
    name = url.removeprefix(prefix)
    if not url.startswith(prefix) or not name or name.startswith((":memory:", "/", "file:")):
        return url
    return f"{prefix}{folder / name}"
