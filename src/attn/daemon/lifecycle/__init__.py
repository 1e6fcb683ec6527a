"""How sessions begin, are reached, end, are found again, go on and are forgotten."""
