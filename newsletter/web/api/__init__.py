"""The REST interface for programs, version 1: one Blueprint a module, described by its own code."""
