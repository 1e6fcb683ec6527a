"""The daemon's side of the workers: what starts them, and a link to each."""
