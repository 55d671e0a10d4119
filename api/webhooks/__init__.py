"""Webhooks (Standard Webhooks): managing them, and the sender that delivers to them."""
