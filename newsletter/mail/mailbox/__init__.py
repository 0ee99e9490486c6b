"""List, fetch and delete mails in the mailbox for returned mail, over IMAP or POP3.

Each takes bounded time and memory.
"""
