"""Several instances in processes of their own, that spend from one counter and are killed at random."""
