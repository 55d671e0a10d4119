"""The report's English texts, a file a section."""
