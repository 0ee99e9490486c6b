"""What the DNS says of a domain that mail is sent from.

Knows no database; asks through a `Resolver`.
"""
