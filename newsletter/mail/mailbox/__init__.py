"""List, fetch and delete the mails of a mailbox with returned mail, over IMAP or POP3.

Each takes bounded time and memory.
"""
