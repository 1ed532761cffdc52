"""The networks of the zoo as a list, and trained for one budget to be ranked."""
