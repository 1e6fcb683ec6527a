"""The control plane: one process that clients speak to and that may be killed at any time."""
