"""attn: one place to run many terminal coding agents and know which of them needs you."""

__version__ = "0.1.0"
