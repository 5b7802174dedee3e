"""What a model is worth: tasks that turn batches into scores, the same in the loop and offline."""
