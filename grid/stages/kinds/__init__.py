"""One file per built-in kind of stage: its identity, what it needs, how it is shown. The computing is in ``grid/stages``."""
