"""Networks: backbones, heads, losses, explainers, metrics, and the Lightning module that trains them."""
