"""People: bearer tokens of an OpenID Connect issuer, and what their groups allow."""
