"""Recall and ranks on similarities made by hand."""

import itertools

import pytest
import torch

from train.batch import Batch
from train.data.order import Position
from train.evaluation.gallery import Gallery
from train.evaluation.ranking import chance, ranks, recalls


def test_ranks_of_single_answers() -> None:
    similar_QA = torch.tensor([[0.9, 0.1, 0.2], [0.3, 0.2, 0.1], [0.5, 0.6, 0.4]])
    assert ranks(similar_QA, torch.eye(3, dtype=torch.bool)).tolist() == [1, 2, 3]


def test_the_best_of_several_right_answers_counts_and_the_others_do_not_stand_in_its_way() -> None:
    right_QA = torch.tensor([[True, True, False, False], [True, False, False, True]])
    similar_QA = torch.tensor([[0.8, 0.9, 0.1, 0.0], [0.1, 0.9, 0.8, 0.2]])
    assert ranks(similar_QA, right_QA).tolist() == [1, 3]


def test_a_model_that_scores_all_alike_is_last() -> None:
    assert ranks(torch.zeros(2, 4), torch.eye(4, dtype=torch.bool)[:2]).tolist() == [4, 4]


def test_scores_that_are_no_numbers_are_last() -> None:
    assert ranks(torch.full((2, 4), torch.nan), torch.eye(4, dtype=torch.bool)[:2]).tolist() == [4, 4]


def test_recalls_and_median() -> None:
    figures = recalls(torch.tensor([1, 2, 6, 30]))
    assert figures == {"recall@1": 0.25, "recall@5": 0.5, "recall@10": 0.75, "median_rank": 4.0}


def test_chance_agrees_with_counting_all_orders() -> None:
    right_QA = torch.tensor([[True, True, False, False, False, False], [True, False, False, False, False, False]])
    orders = list(itertools.permutations(range(6)))
    found = chance(right_QA)
    for k in (1, 5):
        by_count = [
            sum(any(row[answer] for answer in order[:k]) for order in orders) / len(orders) for row in right_QA.tolist()
        ]
        assert found[f"recall@{k}"] == pytest.approx(sum(by_count) / 2)
    assert found["recall@10"] == 1.0  # more than there are candidates


def test_equal_captions_are_one_query_with_several_right_images() -> None:
    captions = ("a cat", "A  cat", "a dog")
    batch = Batch(
        images_BCSS=torch.zeros(3, 3, 4, 4, dtype=torch.uint8),
        tokens_BL=torch.tensor([[1, 2], [1, 2], [1, 3]]),
        real_BL=torch.ones(3, 2, dtype=torch.bool),
        begins_BL=torch.zeros(3, 2, dtype=torch.bool),
        videos_B=torch.arange(3),
        align_B=torch.full((3,), -1.0),
        captions=captions,
        keys=("0", "1", "2"),
        after=(Position(),),
    )
    gallery = Gallery.collect([batch])
    assert gallery.captions == ("a cat", "a dog")
    assert gallery.right_QA.tolist() == [[True, True, False], [False, False, True]]
    assert gallery.tokens_QL.tolist() == [[1, 2], [1, 3]]
