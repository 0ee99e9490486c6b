"""Sign mail (DKIM, RFC 6376): relaxed forms, keys, signatures."""
