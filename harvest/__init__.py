"""From a line in a playlist to finished folders of transcripts and key frames, and from those to shards."""

VERSION = "0.1.0"
