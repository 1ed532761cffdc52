"""Pages, tables and drawings for people, from plain rows: this room knows no measurement."""
