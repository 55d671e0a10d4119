"""Workers and what waits for them: for those who look after the service."""
