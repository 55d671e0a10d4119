"""Jobs: submitting, watching, cancelling, and their results."""
