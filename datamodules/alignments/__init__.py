"""One file, one way to cut out a face that was found."""
