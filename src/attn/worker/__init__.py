"""The process that owns one PTY and outlives the daemon, and the template process that forks it."""
