"""Pre-train and evaluate a vision-and-language transformer on paired image-text shards."""
