"""The budgets of ARCHITECTURE.md, measured: `make bench` writes RESULTS.md and results.json beside this file."""
