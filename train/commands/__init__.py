"""One module a verb: it builds the parts from the settings and hands them in."""
