"""One file a metric: an object that says what it is and computes it; the registry finds it by name."""
