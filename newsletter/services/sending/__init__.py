"""Send what is due: read the outbox, build messages, hand them to SMTP, record the outcomes."""
