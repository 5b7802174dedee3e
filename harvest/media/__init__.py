"""Media files, which are always somebody else's: opened as local files only, with formats and protocols listed."""
