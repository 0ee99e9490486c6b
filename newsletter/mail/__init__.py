"""From content to bytes to an SMTP server; knows no database."""
