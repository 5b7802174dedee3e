"""Media made in code, with known cuts and known words, for the tests and the demo.

drawing: pictures of facts; speech: an offline voice; video: both joined in a file, with the truth about it;
odd: files that are not videos; server: all of them behind HTTP, with a playlist; lessons: a whole course of videos;
comparison: how much of the truth somebody found.
"""

from tests.makers.comparison import CutCount, count_cuts, count_word_errors, words_of
from tests.makers.drawing import COLOURS, RELATIONS, SHAPES, Fact, Picture, Thing, blank, draw_fact, draw_title
from tests.makers.lessons import Lesson, make_lesson, plan_lessons
from tests.makers.odd import write_empty, write_page, write_playlist, write_text, write_truncated
from tests.makers.server import MediaLink, MediaServer, links_to, url_of
from tests.makers.speech import RATE_HZ, Speech, SpokenPhrase, noise, say, silence, sound, tone
from tests.makers.timeline import Cut, Scene, TrueScene, Truth, VideoStyle
from tests.makers.video import write_video

__all__ = [
    "COLOURS",
    "RATE_HZ",
    "RELATIONS",
    "SHAPES",
    "Cut",
    "CutCount",
    "Fact",
    "Lesson",
    "MediaLink",
    "MediaServer",
    "Picture",
    "Scene",
    "Speech",
    "SpokenPhrase",
    "Thing",
    "TrueScene",
    "Truth",
    "VideoStyle",
    "blank",
    "count_cuts",
    "count_word_errors",
    "draw_fact",
    "draw_title",
    "links_to",
    "make_lesson",
    "noise",
    "plan_lessons",
    "say",
    "silence",
    "sound",
    "tone",
    "url_of",
    "words_of",
    "write_empty",
    "write_page",
    "write_playlist",
    "write_text",
    "write_truncated",
    "write_video",
]
