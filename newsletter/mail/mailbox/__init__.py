"""A mailbox with returned mail, over IMAP or POP3: list, fetch, delete, each in bounded time and
memory.
"""
