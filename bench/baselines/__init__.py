"""What the product is compared with: the same gateway straight into PostgreSQL, and the same
product without batching. Entry points that change the product from outside, for nobody else."""
