"""From an address to entries; knows no database."""
