"""The kinds of GAN: one file a kind, a registry, and what they have in common."""
