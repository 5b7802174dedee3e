"""VQA v2: questions about COCO's pictures. The question is the caption; the answers are the annotation.

    ROOT/v2_OpenEnded_mscoco_train2014_questions.json   v2_mscoco_train2014_annotations.json   and val2014
    ROOT/v2_OpenEnded_mscoco_test2015_questions.json    (nobody outside knows the answers)
    ROOT/train2014/COCO_train2014_000000458752.jpg      val2014/...   test2015/...

annotation = {"question_id", "question_type", "answer_type", "answer": the one most people gave, "answers": all ten}
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from shards.sample import Kind
from shards.split import Split
from train.errors import LayoutError
from train.prepare.coco import coco_id
from train.prepare.entry import Entry, Place
from train.prepare.files import expect_folder, first_file, read_json

PARTS: dict[str, Split] = {"train2014": "train", "val2014": "val", "test2015": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    question_id: int
    image_id: int
    question: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Questions:
    questions: list[_Question]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Annotation:
    question_id: int
    question_type: str
    answer_type: str
    multiple_choice_answer: str
    answers: list[_Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Annotations:
    annotations: list[_Annotation]


@dataclass(frozen=True, slots=True, kw_only=True)
class VqaV2:
    """Open-ended questions with ten people's answers."""

    root: Path
    images: Path | None = None  # the folder of train2014/ and its like; None is root

    name: ClassVar[str] = "vqav2"
    title: ClassVar[str] = "VQA v2"
    origin: ClassVar[str] = "Questions about photos of MS COCO, each answered by ten people (VQA v2)."
    kind: ClassVar[Kind] = "pairs"
    language: ClassVar[str] = "en"
    caption_source: ClassVar[str] = "human"

    def entries(self) -> Iterator[Entry]:
        expect_folder(self.root, holds="questions, annotations and pictures of VQA v2")
        folders = [self.root, self.root / "questions", self.root / "annotations"]
        found = 0
        for part, split in PARTS.items():
            questions = first_file(folders, f"v2_OpenEnded_mscoco_{part}_questions.json")
            if questions is not None:
                found += 1
                answers = first_file(folders, f"v2_mscoco_{part}_annotations.json")
                yield from self._part(part, split, questions, answers)
        if not found:
            raise LayoutError(
                f"{self.root} holds no v2_OpenEnded_mscoco_train2014_questions.json, nor those of val2014 or test2015: "
                "the questions of VQA v2 are expected there."
            )

    def _part(self, part: str, split: Split, questions: Path, answers: Path | None) -> Iterator[Entry]:
        if answers is None and split != "test":
            raise LayoutError(
                f"There is no v2_mscoco_{part}_annotations.json beside {questions}: the answers are needed."
            )
        folder = expect_folder((self.images or self.root) / part, holds=f"the pictures of {questions.name}")
        known = _annotations(answers) if answers else {}
        for question in read_json(questions, _Questions, what="the questions of VQA v2").questions:
            name = f"COCO_{part}_{question.image_id:012d}.jpg"
            annotation = known.get(question.question_id, {})
            yield Entry(
                id=coco_id(question.image_id),
                split=split,
                caption=question.question,
                number=question.question_id,
                pictures=(Place(path=folder / name),),
                annotation={"question_id": question.question_id, **annotation},
                url=f"file:{name}",
                unfit="" if annotation or not known else "no_answer",
            )


def _annotations(file: Path) -> dict[int, dict[str, Any]]:
    return {
        one.question_id: {
            "question_type": one.question_type,
            "answer_type": one.answer_type,
            "answer": one.multiple_choice_answer,
            "answers": [answer.answer for answer in one.answers],
        }
        for one in read_json(file, _Annotations, what="the annotations of VQA v2").annotations
    }
