"""One training run: its settings, batches, loss, loop, chosen weights and record."""
