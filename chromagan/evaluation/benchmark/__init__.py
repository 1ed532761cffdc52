"""How long photos, networks and metrics take, against what cannot be saved."""
