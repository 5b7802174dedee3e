"""Official file layouts of other people's data to shard sets: one file a layout, in its own words.

    a layout's files -> entries (what a sample will be, its picture not yet read) -> plan (split, order)
        -> pictures (sound JPEGs) -> shards.writer

A picture with several captions becomes several samples with one `video_id` and one `sha256`. Splits are the official
ones; where there are none, a hash of the id decides. What a task wants to know lies in `annotation`.
"""
