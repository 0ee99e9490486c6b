"""The REST API for programs, version 1: one Blueprint a module, documented from its code."""
