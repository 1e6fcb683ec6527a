"""`attn attach` in a person's own terminal: raw mode, keys, modes and frames."""
