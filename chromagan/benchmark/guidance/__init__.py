"""What a person's guidance is worth, measured: one file a tool."""
