"""What the numbers of a grid say: effects of the factors, and paired comparisons of cells."""
