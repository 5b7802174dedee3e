"""Narrated films made in code, of which everything is known: cuts, words and their times, and what is about what.

voices: speech with word times; sounds: music and noise; scenery: pictures; script: sentences; film: a film's plan, its
file and its truth; plans: the films of the set.
"""
