"""Image storage formats: folders, shards, RecordIO, ``.bin``."""
