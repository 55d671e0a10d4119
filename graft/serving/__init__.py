"""The embedded service: Valkey, the API and workers as children of one supervisor."""
