"""Public pages: each module parses requests, calls one service, answers.

One Blueprint a module (app.py).
"""
