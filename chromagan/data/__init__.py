"""Training photographs."""
