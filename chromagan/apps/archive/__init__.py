"""Archives of millions of photos in any store: listed once, painted by actors of a Ray cluster, never twice."""
