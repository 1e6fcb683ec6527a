"""The `attn` command."""
