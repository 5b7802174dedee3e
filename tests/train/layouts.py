"""Tiny copies of other people's file layouts, drawn in code."""

import csv
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

WIDTH, HEIGHT = 40, 24


def picture(number: int, *, format: str = "JPEG", mode: str = "RGB", **saved: Any) -> bytes:  # noqa: A002  Pillow's word
    """A picture that no other number below 4096 gives: dark at the left, of its own colour at the right."""
    colour = (16 * (number % 16) + 8, 16 * (number // 16 % 16) + 8, 16 * (number // 256 % 16) + 8)
    image = Image.new("RGB", (WIDTH, HEIGHT), colour)
    image.paste((0, 0, 0), (0, 0, WIDTH // 2, HEIGHT))
    file = io.BytesIO()
    image.convert(mode).save(file, format, **saved)
    return file.getvalue()


def write(path: Path, content: bytes | str | Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def coco(root: Path) -> Path:
    """Two captions of each of 12 training and 2 val pictures, numbered from 100."""
    numbers = {"train": range(100, 112), "val": range(112, 114)}
    for split, images in numbers.items():
        for image in images:
            write(root / f"{split}2017" / f"{image:012d}.jpg", picture(image))
        listed = [{"id": n, "file_name": f"{n:012d}.jpg", "coco_url": f"http://x/{n}", "license": 1} for n in images]
        captions = [
            {"id": 2 * image + place, "image_id": image, "caption": f"a {word} thing number {image} \n"}
            for image in images
            for place, word in enumerate(("red", "blue"))
        ]
        content = {"info": {}, "images": listed, "annotations": captions, "licenses": [{"id": 1, "name": "CC BY"}]}
        write(root / "annotations" / f"captions_{split}2017.json", content)
    return root


def karpathy(root: Path, *, splits: Sequence[str] = ("train", "restval", "val", "test")) -> Path:
    """dataset_coco.json with one picture a split."""
    images = []
    for number, split in enumerate(splits):
        name = f"COCO_{number:012d}.jpg"
        write(root / "val2014" / name, picture(number))
        sentences = [{"raw": f"{split} one"}, {"raw": f"{split} two"}]
        images.append(
            {"filepath": "val2014", "filename": name, "cocoid": number, "split": split, "sentences": sentences}
        )
    return write(root / "dataset_coco.json", {"images": images, "dataset": "coco"})


def flickr8k(root: Path) -> Path:
    """Three pictures with lists of splits, one that no list names, one whose file is missing."""
    names = [f"{n}00000_0123456789.jpg" for n in range(1, 5)]
    for number, name in enumerate(names):
        write(root / "Flicker8k_Dataset" / name, picture(number))
    lines = [
        f"{name}#{place}\tsentence {place} of {name}" for name in [*names, "2258277193.jpg.1"] for place in range(2)
    ]
    write(root / "Flickr8k.token.txt", "\n".join(lines) + "\n")
    for split, name in zip(("train", "dev", "test"), names, strict=False):
        write(root / f"Flickr_8k.{split}Images.txt", name + "\n")
    return root


def flickr_csv(root: Path, *, form: str) -> Path:
    """20 pictures without lists of splits: as captions.txt, or as results.csv with its one broken line."""
    names = [f"{n}.jpg" for n in range(20)]
    for number, name in enumerate(names):
        write(root / "Images" / name, picture(number))
    if form == "captions.txt":
        out = io.StringIO()
        csv.writer(out).writerows([("image", "caption"), *((name, f'a "{name}", they say') for name in names)])
        write(root / form, out.getvalue())
    else:
        lines = [f"{name}| 0| a {name} they say" for name in names[:-1]] + [f"{names[-1]}| 4   A broken line ."]
        write(root / form, "\n".join(["image_name| comment_number| comment", *lines]))
    return root


def vqav2(root: Path) -> Path:
    """One question a part; test without answers."""
    for number, part in enumerate(("train2014", "val2014", "test2015")):
        write(root / part / f"COCO_{part}_{number:012d}.jpg", picture(number))
        question = {"question_id": 10 * number, "image_id": number, "question": f"How many are {number}?"}
        write(root / f"v2_OpenEnded_mscoco_{part}_questions.json", {"questions": [question], "data_subtype": part})
        answers = [{"answer": "two", "answer_confidence": "yes", "answer_id": n} for n in range(10)]
        annotation = {"question_id": 10 * number, "image_id": number, "question_type": "how many", "answers": answers}
        annotation |= {"answer_type": "number", "multiple_choice_answer": "two"}
        if part != "test2015":
            write(root / f"v2_mscoco_{part}_annotations.json", {"annotations": [annotation]})
    return root


def nlvr2(root: Path) -> Path:
    """A pair with two sentences for training, one for dev, one for test; left and right of different heights."""
    for part, sentences, folder in (("train", 2, "train/7"), ("dev", 1, "dev"), ("test1", 1, "test1")):
        lines = []
        for sentence in range(sentences):
            line = {"identifier": f"{part}-7-0-{sentence}", "sentence": f"Both are {sentence}.", "label": "True"}
            lines.append(json.dumps(line | ({"directory": 7} if part == "train" else {}) | {"synset": "owl"}))
        write(root / f"{part}.json", "\n".join(lines) + "\n")
        write(root / "images" / folder / f"{part}-7-0-img0.png", picture(len(part), format="PNG"))
        file = io.BytesIO()
        Image.new("RGB", (10, 50), "white").save(file, "PNG")
        write(root / "images" / folder / f"{part}-7-0-img1.png", file.getvalue())
    return root


def image_folder(root: Path) -> Path:
    for number, name in enumerate(
        ("train/tree_frog/a.jpg", "train/cat/a.jpg", "val/cat/a.jpg", "test/tree_frog/b.png")
    ):
        write(root / name, picture(number, format="PNG" if name.endswith("png") else "JPEG"))
    return root


def tar(path: Path, members: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def webdataset(root: Path) -> str:
    """Two tars as img2dataset and open_clip write them; the pattern for both."""
    record = json.dumps(
        {"caption": "a json caption", "url": "http://x/1.jpg", "key": "0", "status": "success"}
    ).encode()
    first = {"000000000.jpg": picture(0), "000000000.txt": b"a txt caption\n", "000000000.json": record}
    first |= {"000000001.png": picture(1, format="PNG"), "000000001.json": record}
    tar(root / "00000.tar", first | {"000000002.txt": b"no picture"})
    tar(root / "00001.tar", {"dir/a.jpeg": picture(2), "dir/a.txt": b"third"})
    return f"{root}/{{00000..00001}}.tar"
