"""Kill, freeze, cut, restart: one named test for each point at which something can fail."""
