"""The database. One process, one connection, every write commits or raises."""
