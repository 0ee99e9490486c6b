"""Authors: their accounts, log-ins and sessions, and the audit log of their acts."""
