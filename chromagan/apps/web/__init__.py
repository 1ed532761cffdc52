"""What the servers of this program have in common: a door, a guard, and what strangers bring within bounds."""
