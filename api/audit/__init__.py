"""The audit trail: looking at it, and taking it along."""
