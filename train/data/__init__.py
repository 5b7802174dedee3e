"""From shards to batches: order -> stream -> transforms, tokenizer -> collate -> loader."""
