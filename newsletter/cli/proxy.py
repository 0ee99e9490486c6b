"""`newsletter proxy`: print the configuration of a reverse proxy."""

from __future__ import annotations

import os

import click

from newsletter import settings_loader
from newsletter.cli.output import say_raw, warn
from newsletter.services.operations import proxy_sites

SERVERS = ("nginx", "caddy")


@click.command(epilog="Example: newsletter proxy caddy > /etc/caddy/Caddyfile")
@click.argument("server", type=click.Choice(SERVERS))
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8025,
    show_default=True,
    help="The port of `serve`, or of the web processes.",
)
@click.option(
    "--certificate",
    default="",
    metavar="FILE",
    help="For nginx: the certificate with its chain (default: where certbot keeps it).",
)
@click.option("--key", default="", metavar="FILE", help="For nginx: the certificate's key.")
@click.pass_context
def proxy(ctx: click.Context, server: str, port: int, certificate: str, key: str) -> None:
    """Print the site for nginx or Caddy: TLS, forwarded headers, time-outs, a short cache."""
    loaded = settings_loader.load_settings(ctx.find_root().obj, os.environ)
    say_raw(
        proxy_sites.write_site(loaded, server, port=port, certificate=certificate, key=key).rstrip()
    )
    if not loaded.web.trusted_proxies:
        warn("web.trusted_proxies is 0; set it to 1, or all visitors count as one")
