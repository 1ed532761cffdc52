"""How long photos, networks, training and metrics take, against what cannot be saved; the networks ranked."""
