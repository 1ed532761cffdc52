"""Files by name: found, told apart by suffix, written whole or not at all."""
