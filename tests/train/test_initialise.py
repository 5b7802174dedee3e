"""What a model can be started from: a ViT, a run of its own kind, a BERT; and the sentence where it cannot."""

import logging
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file

from configs.loading import load
from tests.train.small import SMALL_SETTINGS, small_model
from train import runs
from train.commands.pretrain import pretrain
from train.commands.request import new_request
from train.commands.starting import start
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer, make_tokenizer, train_word_pieces
from train.errors import InitialisationError
from train.models.embeddings import patchify, resample_places, sincos_grid, whole_image
from train.models.initialise import for_our_pixels, start_from_vit
from train.models.initialise_text import start_from_bert
from train.models.layers import timm_model
from train.models.vilt import Vilt

# Only now: `layers` lets timm be imported beside any torch.
import timm  # isort: skip
from timm.models.vision_transformer import VisionTransformer  # isort: skip


def small_config(*changes: str) -> TrainConfig:
    return load(TrainConfig, "tiny", [*SMALL_SETTINGS, *changes])


def random_vit(**changes: int) -> VisionTransformer:
    """timm's ViT at 48 pixels, no weight of which is near zero."""
    geometry = {"img_size": 48, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 0}
    vit = VisionTransformer(**geometry | changes)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.normal_(std=0.2, generator=generator)
    return vit.eval()


def saved(vit: VisionTransformer, folder: Path, **more: torch.Tensor) -> str:
    save_file({name: value.contiguous() for name, value in vit.state_dict().items()} | more, folder / "vit.safetensors")
    return str(folder / "vit.safetensors")


def encoded_alike(model: Vilt, vit: VisionTransformer, size: int) -> bool:
    """Whether both make the same of an image alone. timm is given the pixels that our patches are cut from."""
    images = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    patches = patchify(images, 16)
    side = size // 16
    pixels = patches.reshape(2, side, side, 16, 16, 3).permute(0, 5, 1, 3, 2, 4).reshape(2, 3, size, size)
    model.eval()
    with torch.no_grad():
        ours, theirs = model.encode(None, whole_image(patches)).slots_RTD, vit.forward_features(pixels)
    return torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("size", [48, 32, 96])
def test_of_an_image_alone_the_encoder_makes_what_the_vit_makes(
    tokenizer: Tokenizer, tmp_path: Path, size: int
) -> None:
    vit = random_vit()
    source = saved(vit, tmp_path)
    vit.set_input_size(img_size=size)  # timm's own interpolation of places
    model = small_model(small_config(f"data.image_size={size}"), tokenizer)
    assert not encoded_alike(model, vit, size)
    start_from_vit(model, source)
    assert encoded_alike(model, vit, size)


def test_a_masked_autoencoders_decoder_is_left_out_and_told(
    model: Vilt, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vit = random_vit()
    decoder = {"mask_token": torch.ones(1, 1, 8), "decoder_embed.weight": torch.ones(8, 32)}
    with caplog.at_level(logging.INFO):
        start_from_vit(model, saved(vit, tmp_path, **decoder))
    assert encoded_alike(model, vit, 48)
    assert "2 weights have no place here" in caplog.text


def test_a_vit_whose_class_token_has_no_place_is_taken_too(model: Vilt, tmp_path: Path) -> None:
    vit = VisionTransformer(
        img_size=48, patch_size=16, embed_dim=32, depth=2, num_heads=2, num_classes=0, no_embed_class=True
    ).eval()
    torch.nn.init.normal_(vit.cls_token)
    start_from_vit(model, saved(vit, tmp_path))
    assert encoded_alike(model, vit, 48)


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"embed_dim": 64}, r"model\.width=64"),
        ({"patch_size": 8}, r"model\.patch=8"),
        ({"depth": 3}, r"model\.depth=3"),
        ({"depth": 1}, r"model\.depth=1"),
        ({"reg_tokens": 4}, "choose a plain ViT"),
        ({"init_values": 1}, "choose a plain ViT"),
    ],
)
def test_a_vit_that_cannot_fit_is_a_sentence_with_the_setting_to_change(
    model: Vilt, tmp_path: Path, changes: dict[str, int], setting: str
) -> None:
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with pytest.raises(InitialisationError, match=setting):
        start_from_vit(model, saved(random_vit(**changes), tmp_path))
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_a_vit_for_oblong_images_is_refused(model: Vilt, tmp_path: Path) -> None:
    with pytest.raises(InitialisationError, match="no square grid"):
        start_from_vit(model, saved(random_vit(), tmp_path, pos_embed=torch.zeros(1, 7, 32)))


def test_a_vit_for_other_pixels_gives_the_same_on_ours(model: Vilt, tmp_path: Path) -> None:
    known = timm_model("vit_tiny_patch16_224")  # one of the many that were trained on pixels from -1 to 1
    assert known is not None and known.mean == known.std == (0.5, 0.5, 0.5) and known.heads == 3
    theirs = load_file(saved(random_vit(), tmp_path))
    save_file(for_our_pixels(theirs, mean=known.mean, std=known.std), tmp_path / "ours.safetensors")
    start_from_vit(model, str(tmp_path / "ours.safetensors"))
    images = torch.randint(0, 256, (2, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    pixels = (images.float() / 255 - 0.5) / 0.5
    convolved = torch.nn.functional.conv2d(
        pixels, theirs["patch_embed.proj.weight"], theirs["patch_embed.proj.bias"], stride=16
    )
    projected = model.image.project(model.patchify(images))
    assert torch.allclose(projected, convolved.flatten(2).transpose(1, 2), atol=1e-4)


def test_weights_that_are_nowhere_are_one_sentence(model: Vilt, tmp_path: Path) -> None:
    with pytest.raises(InitialisationError, match="nor a model that timm knows"):
        start_from_vit(model, "vit_of_nobody")
    with pytest.raises(InitialisationError, match=r"set model\.heads=3"):
        start_from_vit(model, "vit_tiny_patch16_224")
    (tmp_path / "torn.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(InitialisationError, match="cannot be read"):
        start_from_vit(model, str(tmp_path / "torn.safetensors"))


def test_waves_are_drawn_anew_for_another_grid() -> None:
    assert torch.allclose(resample_places(sincos_grid(9, 32), 25), sincos_grid(25, 32))


@pytest.mark.parametrize(
    ("name", "vit"),
    [("small", "vit_small_patch16_224"), ("base", "vit_base_patch32_224"), ("base-16", "vit_base_patch16_224")],
)
def test_the_named_sizes_are_those_of_published_vits(name: str, vit: str) -> None:
    config, known = load(TrainConfig, name), timm_model(vit)
    assert known is not None and known.heads == config.model.heads
    with torch.device("meta"):
        theirs = timm.create_model(vit).blocks.state_dict()
        ours = Vilt(config.model, vocabulary=64, text_length=8, image_size=config.data.image_size)
    assert {k: v.shape for k, v in ours.blocks.state_dict().items()} == {k: v.shape for k, v in theirs.items()}
    assert ours.image.project.weight.numel() == 3 * config.model.width * int(vit.split("patch")[1][:2]) ** 2


@pytest.fixture(scope="module")
def run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    config = small_config("trainer.steps=1", "trainer.save_every=1")
    pretrain(new_request([shards], folder, config), Console(quiet=True))
    return folder


def tokenizer_of(run: Path) -> Tokenizer:
    return Tokenizer.load(runs.checkpoint_of(run) / "tokenizer")


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(runs.checkpoint_of(run) / "model.safetensors")


def test_a_runs_weights_are_taken_whole(run: Path) -> None:
    tokenizer = tokenizer_of(run)
    config = small_config(f"model.start_from={run}", "seed=3")
    for source in (run, runs.checkpoint_of(run)):
        model = small_model(config, tokenizer)
        start(model, small_config(f"model.start_from={source}"), tokenizer)
        theirs = weights_of(run)
        taken = {name for name, weight in model.state_dict().items() if torch.equal(weight, theirs[name])}
        assert taken >= theirs.keys() - {"bag_head.idf_V"}
        assert (model.bag_head.idf_V <= 1).all()  # it tells of the captions that are now learnt


def test_at_another_image_size_places_alone_are_other_ones(run: Path) -> None:
    tokenizer = tokenizer_of(run)
    config = small_config(f"model.start_from={run}", "data.image_size=96", "seed=3")
    model = small_model(config, tokenizer)
    start(model, config, tokenizer)
    theirs = weights_of(run)
    other = {name for name, weight in model.state_dict().items() if not torch.equal(weight, theirs[name])}
    assert other == {"image.places_ND", "decoder.places_ND", "bag_head.idf_V"}
    assert torch.equal(model.image.places_ND, resample_places(theirs["image.places_ND"], 36))
    assert torch.equal(model.decoder.places_ND, sincos_grid(36, 32))


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ("model.patch=8", r"Set model\.patch=16"),
        ("model.width=64", r"Set model\.width=32"),
        ("model.heads=4", r"Set model\.heads=2"),
        ("model.decoder_depth=2", r"Set model\.decoder_depth=1"),
        ("data.text_length=12", r"Set data\.text_length=14"),
    ],
)
def test_a_run_of_another_shape_is_a_sentence_with_the_setting_to_change(run: Path, change: str, advice: str) -> None:
    tokenizer = tokenizer_of(run)
    config = small_config(f"model.start_from={run}", change)
    with pytest.raises(InitialisationError, match=advice):
        start(small_model(config, tokenizer), config, tokenizer)


def test_another_vocabulary_is_refused_and_its_remedy_works(run: Path, config: TrainConfig) -> None:
    wanted = small_config(f"model.start_from={run}")
    other = train_word_pieces(config.tokenizer, ["quite other words"] * 2)
    with pytest.raises(InitialisationError, match=r"Set tokenizer\.source=(.*)\.") as met:
        start(small_model(wanted, other), wanted, other)
    source = str(met.value).partition("tokenizer.source=")[2].rstrip(".")
    tokenizer = make_tokenizer(small_config(f"tokenizer.source={source}").tokenizer, [])
    start(small_model(wanted, tokenizer), wanted, tokenizer)


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "circle", "red", "a", "zebra"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with random weights and a vocabulary that has some words in common with ours, under other numbers."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    geometry = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=10, **geometry)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return folder


def test_words_begin_as_bert_knows_them(
    model: Vilt, tokenizer: Tokenizer, bert: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vocabulary = tokenizer.pieces.get_vocab(with_added_tokens=True)
    shared = sorted(vocabulary.keys() & set(WORDS))
    assert {"[CLS]", "[MASK]", "circle", "red"} <= set(shared)
    before, spread = model.text.pieces.weight.clone(), model.text.pieces.weight.std()
    before_places = model.text.places_LD.clone()
    with caplog.at_level(logging.INFO):
        start_from_bert(model, str(bert), vocabulary)
    theirs = load_file(bert / "model.safetensors")
    table = theirs["embeddings.word_embeddings.weight"][[WORDS.index(piece) for piece in shared]]
    factor = spread / table.std()
    ours = [vocabulary[piece] for piece in shared]
    assert torch.allclose(model.text.pieces.weight[ours], table * factor, atol=1e-6)
    others = sorted(set(vocabulary.values()) - set(ours))
    assert torch.equal(model.text.pieces.weight[others], before[others])
    assert torch.allclose(
        model.text.places_LD[:10], theirs["embeddings.position_embeddings.weight"] * factor, atol=1e-6
    )
    assert torch.equal(model.text.places_LD[10:], before_places[10:])
    assert f"{len(shared)} of {len(vocabulary)} pieces" in caplog.text


def test_a_tokenizer_file_serves_as_well_as_a_list(
    model: Vilt, tokenizer: Tokenizer, bert: Path, tmp_path: Path
) -> None:
    tokenizer.save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((bert / "model.safetensors").read_bytes())
    start_from_bert(model, str(tmp_path), tokenizer.pieces.get_vocab())
    row = load_file(bert / "model.safetensors")["embeddings.word_embeddings.weight"][tokenizer.cls]
    assert torch.nn.functional.cosine_similarity(model.text.pieces.weight[tokenizer.cls], row, dim=0) > 0.999


def test_a_bert_that_cannot_serve_is_one_sentence(tokenizer: Tokenizer, bert: Path, tmp_path: Path) -> None:
    vocabulary = tokenizer.pieces.get_vocab()
    wide = small_model(small_config("model.width=64"), tokenizer)
    with pytest.raises(InitialisationError, match=r"Set model\.width=32"):
        start_from_bert(wide, str(bert), vocabulary)
    model = small_model(small_config(), tokenizer)
    with pytest.raises(InitialisationError, match="no piece in common"):
        start_from_bert(model, str(bert), {"elephant": 0})
    with pytest.raises(InitialisationError, match=r"holds no model\.safetensors"):
        start_from_bert(model, str(tmp_path), vocabulary)
    save_file({"weight": torch.ones(2)}, tmp_path / "model.safetensors")
    with pytest.raises(InitialisationError, match="it is no BERT"):
        start_from_bert(model, str(tmp_path), vocabulary)
