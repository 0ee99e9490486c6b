"""Send mail over SMTP: choose a server, connect, send messages, judge the replies.

Knows no database.
"""
