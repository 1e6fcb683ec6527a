"""The database as the daemon keeps it: open, watched, tried again, and told about."""
