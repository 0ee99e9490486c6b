"""Write the configuration of a reverse proxy: TLS, forwarded headers, time-outs, a cache.

What may be cached the program says itself (`web/shared_cache.py`); the site only keeps to it. No
address of a page goes into a log whole: the links in mails are as good as a password.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from newsletter.errors import Refused
from newsletter.settings import Settings

NGINX = """\
# The site of newsletter for nginx 1.22 or newer. Made by `newsletter proxy nginx`:
#   newsletter proxy nginx > /etc/nginx/conf.d/newsletter.conf && nginx -t && systemctl reload nginx

proxy_cache_path /var/cache/nginx-newsletter levels=1:2 keys_zone=newsletter:1m max_size=50m
                 inactive=10m use_temp_path=off;

# Only the first part of an address is logged: what follows may be a signed link.
map $request_uri $newsletter_place {
    default "/";
    "~^(?<place>/[^/?]*)" $place;
}
log_format newsletter '$remote_addr [$time_iso8601] $request_method $newsletter_place '
                      '$status $body_bytes_sent $request_time $upstream_cache_status';

upstream newsletter {
    server 127.0.0.1:@PORT@;
    keepalive 16;
}

server {
    listen 80;
    listen [::]:80;
    server_name @HOST@;
    access_log /var/log/nginx/newsletter.log newsletter;
    location /.well-known/acme-challenge/ { root /var/www/html; }
    location / { return 301 https://$host$request_uri; }
}

server {
    listen @HTTPS@ ssl http2;
    listen [::]:@HTTPS@ ssl http2;
    server_name @HOST@;

    ssl_certificate @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:newsletter_tls:1m;
    add_header Strict-Transport-Security "max-age=31536000" always;

    access_log /var/log/nginx/newsletter.log newsletter;
    error_log /var/log/nginx/newsletter.error.log crit;  # lower levels quote whole addresses

    client_max_body_size 1m;
    client_header_timeout 15s;
    client_body_timeout 15s;
    send_timeout 60s;
    keepalive_timeout 30s;

    # A large body is passed on unread: the program asks who sends it before it takes it.
    location ~ ^/(author/upload|api/v1)/ {
        client_max_body_size 101m;
        proxy_request_buffering off;
        proxy_pass http://newsletter;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 300s;
    }

    location / {
        proxy_pass http://newsletter;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_connect_timeout 5s;
        proxy_send_timeout 60s;
        proxy_read_timeout 60s;

        proxy_cache newsletter;
        proxy_cache_key $scheme$host$request_uri;
        proxy_cache_methods GET HEAD;
        proxy_cache_lock on;
        proxy_cache_use_stale error timeout updating;
        proxy_no_cache $http_authorization;
        proxy_cache_bypass $http_authorization;
    }
}
"""

CADDY = """\
# The site of newsletter for Caddy 2.6 or newer, which gets and renews the certificate itself.
# Made by `newsletter proxy caddy`:
#   newsletter proxy caddy > /etc/caddy/Caddyfile && systemctl reload caddy
# Caddy as packaged has no cache; the program answers some 600 public pages a second itself.

{
\tlog {
\t\texclude http.log.error
\t}
\tservers {
\t\ttimeouts {
\t\t\tread_header 15s
\t\t\tread_body 15s
\t\t\twrite 10m
\t\t\tidle 30s
\t\t}
\t}
}

@SITE@ {
\theader Strict-Transport-Security "max-age=31536000"
\t@upload path /author/upload/* /api/v1/*
\trequest_body @upload {
\t\tmax_size 101MB
\t}
\t@form not path /author/upload/* /api/v1/*
\trequest_body @form {
\t\tmax_size 1MB
\t}
\treverse_proxy 127.0.0.1:@PORT@ {
\t\ttransport http {
\t\t\tdial_timeout 5s
\t\t\tresponse_header_timeout 60s
\t\t}
\t}
}
"""

SITES = {"nginx": NGINX, "caddy": CADDY}
"""The web servers for which a configuration can be written."""


def write_site(
    settings: Settings, server: str, *, port: int, certificate: str = "", key: str = ""
) -> str:
    """Return the configuration of `server` for an installation that listens on `port`.

    Raises `Refused` where base_url is not the https address of a host.
    """
    parts = urlsplit(settings.base_url)
    if parts.scheme != "https" or parts.path:
        raise Refused(
            f"base_url is {settings.base_url}, and a proxy needs an https address of its own",
            hint='set base_url = "https://news.your.blog" in newsletter.toml',
        )
    host = parts.hostname or ""
    live = f"/etc/letsencrypt/live/{host}"
    values = {
        "HOST": host,
        "SITE": f"{host}:{parts.port}" if parts.port else host,
        "PORT": str(port),
        "HTTPS": str(parts.port or 443),
        "CERTIFICATE": certificate or f"{live}/fullchain.pem",
        "KEY": key or f"{live}/privkey.pem",
    }
    site = SITES[server]
    for name, value in values.items():
        site = site.replace(f"@{name}@", value)
    return site
