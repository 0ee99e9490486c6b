"""The settings of an installation: names, types and defaults, as frozen models.

settings_loader.py loads them from newsletter.toml and the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from newsletter import setting_types
from newsletter.setting_types import (
    Ceiling,
    parse_duration,
    parse_durations,
    require_strong_secret,
    split_words,
)
from newsletter.setup_vocabulary import LogFormat, LogLevel

PREFIX = "NEWSLETTER_"
CONFIG_VARIABLE = "NEWSLETTER_CONFIG"
DEFAULT_FILE = "newsletter.toml"

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Secret = Annotated[SecretStr, AfterValidator(require_strong_secret)]
Positive = Annotated[int, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )


class Smtp(_Table):
    """SMTP servers, their limits, and when a refused message is tried again."""

    url: Annotated[
        tuple[SecretStr, ...],
        BeforeValidator(split_words),
        AfterValidator(setting_types.clean_smtp_urls),
    ] = (SecretStr("smtp://localhost:25"),)
    user: str | None = None
    password: SecretStr | None = None
    connections: Annotated[int, Field(gt=0, le=100)] = 4
    max_per_second: Annotated[float, Field(gt=0)] | None = None
    max_per_hour: Positive | None = None
    max_per_day: Positive | None = None
    max_per_domain: Annotated[
        dict[str, Ceiling], BeforeValidator(setting_types.parse_domain_ceilings)
    ] = {}
    warmup: Annotated[Positive | None, BeforeValidator(setting_types.parse_warmup)] = None
    retry_after: Annotated[tuple[timedelta, ...], BeforeValidator(parse_durations)] = (
        parse_durations("1m 5m 15m 1h 4h 8h")
    )
    patience: Annotated[Duration, Field(le=timedelta(days=4))] = timedelta(hours=48)
    timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=60)
    ca_file: Path | None = None
    campaign_headers: Annotated[
        tuple[tuple[str, str], ...], BeforeValidator(setting_types.parse_extra_headers)
    ] = ()

    @model_validator(mode="after")
    def _check_login(self) -> Smtp:
        """Require user and password together.

        Raises `ValueError`.
        """
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together; set both, or neither")
        return self

    def has_login(self) -> bool:
        """Tell whether a server has a user and password."""
        return self.user is not None or any(
            urlsplit(url.get_secret_value()).username for url in self.url
        )


class Hook(_Table):
    """A provider's webhook: the secret in its URL, and the key that verifies signatures."""

    secret: Secret | None = None
    key: SecretStr | None = None


class Hooks(_Table):
    """The providers whose reports of bounces and complaints are accepted."""

    ses: Hook = Hook()
    postmark: Hook = Hook()
    sendgrid: Hook = Hook()
    mailgun: Hook = Hook()
    brevo: Hook = Hook()
    mailjet: Hook = Hook()
    resend: Hook = Hook()

    @model_validator(mode="after")
    def _check_mailgun(self) -> Hooks:
        """Refuse Mailgun's key without a secret.

        Raises `ValueError`.
        """
        if self.mailgun.key is not None and self.mailgun.secret is None:
            raise ValueError(
                "mailgun.key and mailgun.secret go together: the signature does not cover what a "
                "report says, so the secret proves who sent it"
            )
        return self

    def find(self, provider: str) -> Hook:
        """Return a provider's settings, empty ones for an unknown provider."""
        hook = getattr(self, provider, None) if provider in type(self).model_fields else None
        return hook if isinstance(hook, Hook) else Hook()


class Bounces(_Table):
    """The mailbox and the address of returned mail."""

    mailbox: Annotated[SecretStr, AfterValidator(setting_types.clean_mailbox_url)] | None = None
    address: Annotated[str, AfterValidator(setting_types.clean_return_address)] | None = None
    listen: Annotated[str, AfterValidator(setting_types.check_listen_address)] | None = None
    forward_replies: bool = False
    hooks: Hooks = Hooks()


class Dkim(_Table):
    """The keys that sign mail."""

    selectors: Annotated[
        tuple[str, ...], BeforeValidator(split_words), AfterValidator(setting_types.check_selectors)
    ] = ()


class Feeds(_Table):
    """Limits on fetching feeds."""

    allow_private_addresses: bool = False


class Webhooks(_Table):
    """Limits on sending events to webhooks."""

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
    refuse_domains: Annotated[tuple[str, ...], BeforeValidator(setting_types.split_domains)] = ()
    check_domains: bool = True
    free_confirmations: Positive = 200
    keep_ip: Duration = timedelta(days=30)


class Web(_Table):
    """Reverse proxies in front of the pages, and Redis."""

    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    redis: Annotated[SecretStr, AfterValidator(setting_types.clean_redis_url)] | None = None


class Log(_Table):
    """The log of processes that keep running."""

    format: LogFormat = LogFormat.TEXT
    level: LogLevel = LogLevel.INFO


class Metrics(_Table):
    """Access to `/metrics`."""

    token: Secret | None = None


class Settings(_Table):
    """All settings of an installation; what belongs to a list is in the database."""

    secret_key: Secret
    secret_key_fallbacks: Annotated[tuple[Secret, ...], BeforeValidator(split_words)] = ()
    base_url: Annotated[str, AfterValidator(setting_types.clean_base_url)] = "http://localhost:8025"
    database_url: Annotated[str, AfterValidator(setting_types.clean_database_url)] = (
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
    keep_deliveries: Annotated[Duration, Field(ge=timedelta(days=30))] = timedelta(days=400)
    folder: Path = Path()
    file: Path | None = None
    """The file that was read, if any: no setting, as little as its folder."""

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """Return the key that signs, followed by those that only verify."""
        return tuple(
            key.get_secret_value() for key in (self.secret_key, *self.secret_key_fallbacks)
        )


NO_SETTINGS = ("folder", "file")
"""Fields of `Settings` that say where they were read, and cannot be set."""


def list_keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every setting, in the order of docs/settings.md."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Table):
            yield from list_keys(field.annotation, f"{prefix}{name}.")
        elif name not in NO_SETTINGS:
            yield prefix + name
