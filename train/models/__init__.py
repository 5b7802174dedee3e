"""The single-stream model: layers -> embeddings, heads -> vilt. It knows no trainer, settings file or logger."""
