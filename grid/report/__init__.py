"""Tables, sheets and the page made from a finished (or unfinished) study."""
