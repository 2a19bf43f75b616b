"""One file, one task: from embeddings to the numbers of a protocol. A file's name is the task's."""
