"""Networks, their contract and their registry."""
