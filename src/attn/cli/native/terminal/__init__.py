"""The terminal that a person sits at: its settings, keys, colours and modes."""
