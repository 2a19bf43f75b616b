"""How drawn faces are drawn: persons, shots, parts, brushes."""
