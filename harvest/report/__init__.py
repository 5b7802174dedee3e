"""A shard set as one page to look at: its pairs, their distributions, what was dropped, another set beside it.

    tables (rows of the set) --> cards (a sample, drops, what differs; each with a picture and a timeline)
                             '-> plots (distributions)                              '--> page (one HTML file)

Whatever strangers wrote is text here and never markup: templates escape, drawings are placed by numbers alone.
"""

from harvest.report.page import ReportConfig, render
from harvest.report.tables import SetTables

__all__ = ["ReportConfig", "SetTables", "render"]
