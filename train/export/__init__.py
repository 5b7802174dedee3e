"""A trained model for others: a folder for transformers, or graphs for ONNX runtimes, each with a card."""
