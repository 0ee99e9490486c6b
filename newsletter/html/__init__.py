"""Make HTML that others wrote safe for mail, shorten it, and convert it to text. Pure."""
