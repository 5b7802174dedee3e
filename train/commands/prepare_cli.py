"""`train prepare LAYOUT`: one small command a layout. Nothing heavy is imported before one of them runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

if TYPE_CHECKING:
    from train.prepare.entry import Layout
    from train.prepare.plan import BySplit

app = typer.Typer(
    help="Turn data in its official file layout into a shard set, to be trained and evaluated on.",
    epilog="Example: train prepare flickr data/flickr8k --out data/flickr8k-shards",
    no_args_is_help=True,
)

Root = Annotated[Path, typer.Argument(metavar="ROOT", help="The folder of the data.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder of the set; an older set in it is replaced.")]
Size = Annotated[int, typer.Option(min=0, metavar="PIXELS", help="Shrink short sides above this; 0 keeps files as is.")]
PerShard = Annotated[int, typer.Option("--samples-per-shard", min=1, max=10_000)]
Unsplit = Annotated[
    Literal["hash", "train", "val", "test"],
    typer.Option("--split", help="Split of what has no official one; hash shares out 80:10:10."),
]
Karpathy = Annotated[Path | None, typer.Option(metavar="FILE", help="dataset_*.json with Karpathy's splits.")]
Images = Annotated[Path | None, typer.Option(metavar="DIR", help="Where the pictures are; else looked for in ROOT.")]


@app.command()
def coco(
    context: typer.Context,
    root: Root,
    out: Out,
    year: Annotated[str, typer.Option(help="2014 or 2017.")] = "2017",
    karpathy: Karpathy = None,
    size: Size = 0,
    per_shard: PerShard = 1000,
) -> None:
    """MS COCO captions: ROOT/annotations/captions_train2017.json, ROOT/train2017/, the same of val2017."""
    from train.prepare.coco import Coco

    _prepare(context.obj, Coco(root=root, year=year, karpathy=karpathy), out, size, per_shard)


@app.command()
def flickr(
    context: typer.Context,
    root: Root,
    out: Out,
    captions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The captions; else looked for in ROOT.")
    ] = None,
    images: Images = None,
    karpathy: Karpathy = None,
    unsplit: Unsplit = "hash",
    size: Size = 0,
    per_shard: PerShard = 1000,
) -> None:
    """Flickr8k or Flickr30k: token files with their lists of splits, captions.txt, or results.csv."""
    from train.prepare.flickr import Flickr

    layout = Flickr(root=root, captions=captions, images=images, karpathy=karpathy)
    _prepare(context.obj, layout, out, size, per_shard, unsplit)


@app.command()
def vqav2(
    context: typer.Context,
    root: Root,
    out: Out,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder of train2014/; else ROOT.")] = None,
    size: Size = 0,
    per_shard: PerShard = 1000,
) -> None:
    """VQA v2: ROOT/v2_OpenEnded_mscoco_train2014_questions.json, its annotations, ROOT/train2014/."""
    from train.prepare.vqav2 import VqaV2

    _prepare(context.obj, VqaV2(root=root, images=images), out, size, per_shard)


@app.command()
def nlvr2(
    context: typer.Context, root: Root, out: Out, images: Images = None, size: Size = 0, per_shard: PerShard = 1000
) -> None:
    """NLVR2 (or NLVR): ROOT/train.json, dev.json, test1.json, ROOT/images/. Two photos become one, side by side."""
    from train.prepare.nlvr2 import Nlvr2

    _prepare(context.obj, Nlvr2(root=root, images=images), out, size, per_shard)


@app.command()
def imagefolder(
    context: typer.Context, root: Root, out: Out, unsplit: Unsplit = "hash", size: Size = 0, per_shard: PerShard = 1000
) -> None:
    """A folder a class, in train/, val/, test/ or not. The class's name is the caption."""
    from train.prepare.imagefolder import ImageFolder

    _prepare(context.obj, ImageFolder(root=root), out, size, per_shard, unsplit)


@app.command()
def images(
    context: typer.Context, root: Root, out: Out, unsplit: Unsplit = "hash", size: Size = 0, per_shard: PerShard = 1000
) -> None:
    """Any folder of pictures, without text."""
    from train.prepare.images import Images

    _prepare(context.obj, Images(root=root), out, size, per_shard, unsplit)


@app.command()
def text(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=".txt or .jsonl, .gz or not.")],
    out: Out,
    field: Annotated[
        str, typer.Option(help="The field of a JSON line that holds the text; else text or caption.")
    ] = "",
    unsplit: Unsplit = "hash",
    per_shard: PerShard = 1000,
) -> None:
    """Text without pictures, a document or caption a line."""
    from train.prepare.text import Text

    _prepare(context.obj, Text(files=files, field=field), out, 0, per_shard, unsplit)


@app.command()
def webdataset(
    context: typer.Context,
    patterns: Annotated[list[str], typer.Argument(metavar="TARS...", help="Paths, 'a/{00000..00099}.tar', 'a/*.tar'.")],
    out: Out,
    unsplit: Unsplit = "hash",
    size: Size = 0,
    per_shard: PerShard = 1000,
) -> None:
    """Tars of open_clip or img2dataset: pictures with txt or json captions."""
    from train.prepare.webdataset import WebDataset

    _prepare(context.obj, WebDataset(patterns=patterns), out, size, per_shard, unsplit)


def _prepare(
    console: Console, layout: "Layout", out: Path, size: int, per_shard: int, unsplit: "BySplit" = "hash"
) -> None:
    from train.commands.prepare import PrepareOptions, prepare
    from train.commands.prepare_view import PrepareBar, show_prepared

    options = PrepareOptions(size=size, unsplit=unsplit, samples_per_shard=per_shard)
    with PrepareBar(console) as bar:
        prepared = prepare(layout, out, options, bar)
    show_prepared(Console(), prepared, str(out))
