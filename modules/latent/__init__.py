"""The latent space of a trained network: codes, decoded images, linear probes, background features."""
