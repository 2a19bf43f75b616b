"""The Lightning module that trains a network, and what a training is made of."""
