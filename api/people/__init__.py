"""People whom an issuer vouched for: for those who read the audit trail."""
