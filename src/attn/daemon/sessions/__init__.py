"""Sessions in the daemon: the live object, the screen it left, its row in the store."""
