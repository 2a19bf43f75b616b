"""The blocks of a vision transformer, against loops over tokens."""

import math

import pytest
import torch

from modules.layers.vit import Attention, Block, PatchEmbedding, Positions, TokenMask, TokenNorm, map_of, tokens_of


def test_tokens_are_the_places_row_by_row_and_back() -> None:
    features = torch.randn(2, 5, 3, 4)
    tokens = tokens_of(features)
    for row in range(3):
        for column in range(4):
            assert torch.equal(tokens[:, 4 * row + column], features[:, :, row, column])
    assert torch.equal(map_of(tokens, 3, 4), features)
    assert tokens_of(tokens) is tokens


def test_a_patch_is_embedded_by_one_product_and_the_rest_is_cut() -> None:
    embed = PatchEmbedding(4, 3).double()
    images = torch.randn(1, 3, 7, 8, dtype=torch.float64)
    found = embed(images)
    assert found.shape == (1, 4, 2, 2)
    patch = images[0, :, 3:6, 0:3]
    torch.testing.assert_close(found[0, :, 1, 0], (embed.proj.weight * patch).sum((1, 2, 3)) + embed.proj.bias)


def test_each_place_has_its_own_vector() -> None:
    positions = Positions(6, 4)
    features = torch.zeros(2, 4, 2, 3)
    assert torch.equal(positions(features)[1, :, 1, 0], positions.weight[0, 3])


@torch.no_grad()
def test_attention_is_that_of_each_head_written_out() -> None:
    torch.manual_seed(0)
    attention = Attention(6, 2).double()
    tokens = torch.randn(2, 5, 6, dtype=torch.float64)
    query, key, value = (tokens @ attention.qkv.weight[6 * part : 6 * part + 6].T for part in range(3))
    wanted = torch.zeros_like(tokens)
    for image in range(2):
        for head in (slice(0, 3), slice(3, 6)):
            for one in range(5):
                scores = [float(query[image, one, head] @ key[image, other, head]) / math.sqrt(3) for other in range(5)]
                weights = [math.exp(score) / sum(map(math.exp, scores)) for score in scores]
                wanted[image, one, head] = sum(w * value[image, other, head] for other, w in enumerate(weights))
    torch.testing.assert_close(attention(tokens), wanted @ attention.proj.weight.T + attention.proj.bias)


def test_attention_stays_in_float32_under_autocast() -> None:
    attention, seen = Attention(6, 2), []
    attention.proj.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert attention(torch.randn(1, 4, 6)).dtype == torch.bfloat16
    assert seen == [torch.float32]


def test_a_block_gives_the_same_for_a_map_and_its_tokens() -> None:
    torch.manual_seed(0)
    block = Block(6, 2, 12, 0.0).eval()
    features = torch.randn(2, 6, 2, 3)
    found = block(features)
    assert found.shape == features.shape
    assert torch.equal(tokens_of(found), block(tokens_of(features)))
    tokens = tokens_of(features)
    tokens = tokens + block.attn(block.norm1(tokens))
    hidden = (block.norm2(tokens) @ block.mlp.fc1.weight.T + block.mlp.fc1.bias).clamp(0, 6)
    torch.testing.assert_close(tokens_of(found), tokens + hidden @ block.mlp.fc2.weight.T + block.mlp.fc2.bias)


def test_between_blocks_nothing_is_copied() -> None:
    tokens = torch.randn(2, 6, 4)
    assert tokens_of(map_of(tokens, 2, 3)).data_ptr() == tokens.data_ptr()
    assert tokens_of(map_of(tokens, 2, 3)).is_contiguous()


def test_an_image_skips_a_branch_as_often_as_it_should_in_training_only() -> None:
    torch.manual_seed(0)
    block = Block(4, 2, 8, 0.4)
    torch.nn.init.zeros_(block.mlp.fc2.weight)
    torch.nn.init.zeros_(block.mlp.fc2.bias)
    tokens = torch.randn(1, 3, 4).expand(2000, -1, -1)
    skipped = (block(tokens) == tokens).all(dim=(1, 2))
    assert skipped.float().mean().item() == pytest.approx(0.4, abs=0.04)
    kept = block(tokens)[~(block(tokens) == tokens).all(dim=(1, 2))]
    assert len(kept) > 0
    assert not bool((block.eval()(tokens) == tokens).all(dim=(1, 2)).any())


def test_masked_tokens_are_replaced_at_their_places_and_each_image_draws_anew() -> None:
    torch.manual_seed(0)
    mask = TokenMask(0.3, 4)
    tokens = torch.randn(50, 10, 4)
    kept, places = mask.drop(tokens)
    assert kept.shape == (50, 7, 4)
    restored = mask.restore(kept, places, 10)
    same = (restored == tokens).all(dim=2)
    assert same.sum(dim=1).tolist() == [7] * 50
    assert torch.equal(restored[~same], mask.token[0].expand(150, -1))
    counts = (~same).sum(dim=0)  # of 50 images, 15 on average
    assert bool(((counts > 4) & (counts < 26)).all())
    assert len({tuple(row) for row in same.tolist()}) > 30


def test_the_norm_is_that_of_each_token() -> None:
    norm = TokenNorm(5)
    features = torch.randn(2, 5, 3, 4) * 3 + 1
    found = norm(features)
    torch.testing.assert_close(found.mean(1), torch.zeros(2, 3, 4), atol=1e-6, rtol=0)
    assert torch.equal(tokens_of(found), norm(tokens_of(features)))
    assert norm(features.bfloat16()).dtype == torch.float32
