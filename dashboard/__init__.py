"""The web page: files alone, which the API hands out. It is a client of the public API.

There is nothing to build: what lies in ``static`` is what a browser gets.
"""
