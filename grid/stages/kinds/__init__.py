"""One file per built-in kind of stage: its identity, dependencies and presentation. The computation is in ``grid/stages``."""
