"""The contract between `harvest` and `train`: what a sample is and how a set of them lies on disk.

A set is a folder of WebDataset tars, `sizes.json` and `index.json` for other readers, `_meta/` with one row a
candidate (dropped ones too), a dataset card `README.md`, and `manifest.json`, which is written last: a folder
without a manifest is not a set. This package imports neither a training framework nor a downloader.
"""
