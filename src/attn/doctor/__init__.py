"""`attn doctor`: looks at everything that belongs to a home, in whatever state it is, and changes nothing."""
