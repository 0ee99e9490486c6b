"""Frozen `Settings` out of newsletter.toml and the NEWSLETTER_* environment.

Reads the two sources, lays the environment over the file, and validates once, so that every mistake
is reported at once with its key, its place and its remedy. Opens no database and no connection.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from newsletter import setting_types
from newsletter.errors import SettingsError
from newsletter.setting_types import Ceiling, duration, durations, secret, words

PREFIX = "NEWSLETTER_"
CONFIG_VARIABLE = "NEWSLETTER_CONFIG"
DEFAULT_FILE = "newsletter.toml"

Duration = Annotated[timedelta, BeforeValidator(duration)]
Secret = Annotated[SecretStr, AfterValidator(secret)]
Positive = Annotated[int, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )


class Smtp(_Table):
    """SMTP servers, their limits, and when a refused message is tried again."""

    url: Annotated[
        tuple[SecretStr, ...], BeforeValidator(words), AfterValidator(setting_types.smtp_urls)
    ] = (SecretStr("smtp://localhost:25"),)
    user: str | None = None
    password: SecretStr | None = None
    connections: Annotated[int, Field(gt=0, le=100)] = 4
    max_per_second: Annotated[float, Field(gt=0)] | None = None
    max_per_hour: Positive | None = None
    max_per_day: Positive | None = None
    max_per_domain: Annotated[
        dict[str, Ceiling], BeforeValidator(setting_types.domain_ceilings)
    ] = {}
    warmup: Annotated[Positive | None, BeforeValidator(setting_types.warmup)] = None
    retry_after: Annotated[tuple[timedelta, ...], BeforeValidator(durations)] = durations(
        "1m 5m 15m 1h 4h 8h"
    )
    patience: Annotated[Duration, Field(le=timedelta(days=4))] = timedelta(hours=48)
    timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=60)
    ca_file: Path | None = None
    campaign_headers: Annotated[
        tuple[tuple[str, str], ...], BeforeValidator(setting_types.extra_headers)
    ] = ()

    @model_validator(mode="after")
    def _check_login(self) -> Smtp:
        """Refuse half a login.

        Raises `ValueError`.
        """
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together; set both, or neither")
        return self

    def has_login(self) -> bool:
        """Tell whether a server is given a user and a password."""
        return self.user is not None or any(
            urlsplit(url.get_secret_value()).username for url in self.url
        )


class Hook(_Table):
    """A provider's reports: the secret in their URL, and the key that verifies their signature."""

    secret: Secret | None = None
    key: SecretStr | None = None


class Hooks(_Table):
    """The providers whose reports of bounces and complaints are taken."""

    ses: Hook = Hook()
    postmark: Hook = Hook()
    sendgrid: Hook = Hook()
    mailgun: Hook = Hook()
    brevo: Hook = Hook()
    mailjet: Hook = Hook()
    resend: Hook = Hook()

    def find(self, provider: str) -> Hook:
        """Return a provider's settings, empty ones for a provider that is not known."""
        hook = getattr(self, provider, None) if provider in type(self).model_fields else None
        return hook if isinstance(hook, Hook) else Hook()


class Bounces(_Table):
    """The mailbox and the address of returned mail."""

    mailbox: Annotated[SecretStr, AfterValidator(setting_types.mailbox_url)] | None = None
    address: Annotated[str, AfterValidator(setting_types.return_address)] | None = None
    listen: Annotated[str, AfterValidator(setting_types.listen_address)] | None = None
    forward_replies: bool = False
    hooks: Hooks = Hooks()


class Dkim(_Table):
    """The keys that sign mail."""

    selectors: Annotated[
        tuple[str, ...], BeforeValidator(words), AfterValidator(setting_types.selectors)
    ] = ()


class Feeds(_Table):
    """Limits on fetching feeds."""

    allow_private_addresses: bool = False


class Webhooks(_Table):
    """Limits on telling webhooks of events."""

    allow_private_addresses: bool = False


class SignUp(_Table):
    """Ceilings and address checks of sign-ups. Ceilings are per hour."""

    per_ip: Positive = 20
    per_network: Positive = 60
    per_domain: Positive | None = None
    per_list: Positive = 3_000
    overall: Positive = 10_000
    proven_factor: Annotated[int, Field(ge=1, le=100)] = 3
    refuse_role_addresses: bool = True
    refuse_disposable: bool = False
    refuse_domains: Annotated[tuple[str, ...], BeforeValidator(setting_types.domains)] = ()
    check_domains: bool = True
    free_confirmations: Positive = 200
    keep_ip: Duration = timedelta(days=30)


class Web(_Table):
    """Proxies and shared stores in front of the pages."""

    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    redis: Annotated[SecretStr, AfterValidator(setting_types.redis_url)] | None = None


class Log(_Table):
    """How processes that keep running log."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Metrics(_Table):
    """Who may read `/metrics`."""

    token: Secret | None = None


class Settings(_Table):
    """All settings of an installation; what belongs to a list is in the database."""

    secret_key: Secret
    secret_key_fallbacks: Annotated[tuple[Secret, ...], BeforeValidator(words)] = ()
    base_url: Annotated[str, AfterValidator(setting_types.base_url)] = "http://localhost:8025"
    database_url: Annotated[str, AfterValidator(setting_types.database_url)] = (
        "sqlite:///newsletter.db"
    )
    smtp: Smtp = Smtp()
    bounces: Bounces = Bounces()
    dkim: Dkim = Dkim()
    feeds: Feeds = Feeds()
    webhooks: Webhooks = Webhooks()
    signup: SignUp = SignUp()
    web: Web = Web()
    log: Log = Log()
    metrics: Metrics = Metrics()
    folder: Path = Path()

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """Return the key that signs, followed by those that only verify."""
        return tuple(
            key.get_secret_value() for key in (self.secret_key, *self.secret_key_fallbacks)
        )


def keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every setting, in the order of docs/settings.md."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Table):
            yield from keys(field.annotation, f"{prefix}{name}.")
        elif name != "folder":
            yield prefix + name


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


def _lay_over(
    values: dict[str, Any], places: dict[str, str], environ: Mapping[str, str], problems: list[str]
) -> None:
    variables = {PREFIX + key.upper().replace(".", "__"): key for key in keys()}
    for variable in sorted(
        name for name in environ if name.startswith(PREFIX) and name != CONFIG_VARIABLE
    ):
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
        *tables, leaf = key.split(".")
        target: Any = values
        for table in tables:
            target = target.setdefault(table, {}) if isinstance(target, dict) else None
        if isinstance(target, dict):
            target[leaf] = value
            places[key] = variable


def _problem(item: Any, places: Mapping[str, str], file: Path) -> str:
    parts = [str(part) for part in item["loc"] if not isinstance(part, int)]
    key = ".".join(parts[:4] if parts[1:2] == ["hooks"] else parts[:2])
    place = places.get(key, str(file))
    where = place if place.startswith(PREFIX) else f"{place}: {key}"
    if item["type"] == "extra_forbidden":
        hint = _belongs(parts, item["input"]) or _did_you_mean(key, list(keys()))
        return f"{where}: unknown setting{hint}"
    if item["type"] == "missing":
        variable = PREFIX + key.upper().replace(".", "__")
        return (
            f"{file}: {key}: missing; put it there or into {variable} (`newsletter init` makes one)"
        )
    if item["type"] == "model_type":
        return f"{where}: is a table; write [{key}] on a line of its own, and its settings below it"
    return f"{where}: {item['msg'].removeprefix('Value error, ')}"


def _belongs(parts: list[str], value: object) -> str:
    """Say where a setting belongs that stands in the wrong table; nothing if it is not known.

    A line `web.trusted_proxies = 1` below `[signup]` is `signup.web.trusted_proxies` in TOML.
    """
    leaves = [".".join([*parts, *path]) for path in _leaves(value)]
    for known in keys():
        table, _, name = known.rpartition(".")
        if any(leaf == known or leaf.endswith(f".{known}") for leaf in leaves) or (
            table and len(parts) == 2 and parts[-1] == name
        ):
            place = f"write {name} under [{table}]" if table else f"write {name} above the first ["
            return f"; {known} belongs elsewhere: {place}"
    return ""


def _leaves(value: object) -> list[list[str]]:
    """Return the paths of the settings in a value that may be a table."""
    if not isinstance(value, dict):
        return [[]]
    return [[str(name), *path] for name, inner in value.items() for path in _leaves(inner)]


def _did_you_mean(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else "; remove it"


def _beside(url: str, folder: Path) -> str:
    """Resolve a relative SQLite path against the folder of the settings file."""
    prefix = "sqlite:///"
    name = url.removeprefix(prefix)
    if not url.startswith(prefix) or not name or name.startswith((":memory:", "/", "file:")):
        return url
    return f"{prefix}{folder / name}"
