"""Browsers that people sign in with: a cookie in the place of a key."""
