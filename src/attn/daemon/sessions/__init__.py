"""Sessions in the daemon: the live object, how it begins and ends, how it is found again, its row in the store."""
