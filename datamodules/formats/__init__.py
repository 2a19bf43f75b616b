"""Files that hold images: folders, shards, RecordIO, ``.bin``; what lies where in them, and their bytes."""
