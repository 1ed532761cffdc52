"""What `chromagan archive` costs and survives: speed, memory, latency of stores, listing, kills."""
