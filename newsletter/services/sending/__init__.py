"""Send due mail: read the outbox, build messages, deliver them by SMTP, record the outcomes."""
