"""The public pages: each module parses requests, calls one service and builds a response.

One Blueprint a module (app.py).
"""
