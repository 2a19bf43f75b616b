"""How drawn faces are drawn: subjects, shots, parts, brushes."""
