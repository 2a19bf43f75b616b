"""One file per task, named like the task: computes the results of a protocol from embeddings."""
