"""Files that are not what their names say, as one meets them behind a list of links."""

from pathlib import Path


def write_text(path: Path) -> Path:
    """Plain words, usually under a video's name."""
    path.write_text("This is a letter, not a video.\n" * 40, encoding="utf-8")
    return path


def write_empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def write_page(path: Path) -> Path:
    """An HTML page without any media in it."""
    page = "<!doctype html><html><head><title>A page</title></head><body><p>Words only.</p></body></html>\n"
    path.write_text(page, encoding="utf-8")
    return path


def write_truncated(path: Path, *, whole: Path, share: float = 0.5) -> Path:
    """The first part of `whole`. An MP4 cut short has lost its index, which stands at its end."""
    content = whole.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def write_playlist(path: Path, *, target: str) -> Path:
    """An HLS playlist naming `target`: a player that trusts it opens that file or address."""
    lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:10", "#EXTINF:10,", target, "#EXT-X-ENDLIST", "")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
