"""The classifiers that say whether synthetic images help."""
