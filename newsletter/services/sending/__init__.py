"""Send what is due: take messages from the outbox, build them, hand them to SMTP, record the
outcome.
"""
