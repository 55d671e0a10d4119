"""Uploads in parts: for archives so large that a connection may break before they are through."""
