"""Every layer of the original's 32x32 networks: outputs at lod 0."""

import numpy as np
import pytest

from stylegan_tf.layers.minibatch_stddev import minibatch_stddev
from stylegan_tf.layers.normalization import pixel_norm
from stylegan_tf.layers.resample import downscale2d, upscale2d
from tests.closeness import assert_close
from tests.recorded import arrays, nhwc

# Up to nine layers of float32 sums in another order; measured up to 4e-6.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def recorded():
    return arrays("net32_layers")


@pytest.fixture(scope="module")
def io():
    return arrays("net32_io")


def synthesis_outputs(G, ws):
    """Every layer's output by the original's name, block by block."""
    synthesis, outputs, x = G.synthesis, {}, None
    for index, block in enumerate(synthesis.blocks):
        names = [f"{block.side}x{block.side}/{layer}" for layer in (("Const", "Conv") if x is None else ("Conv0_up", "Conv1"))]
        lod = len(synthesis.blocks) - 1 - index
        noise0, noise1 = (synthesis.noise_maps[layer].value[None, :, :, None] for layer in (2 * index, 2 * index + 1))
        w0, w1 = ws[:, 2 * index], ws[:, 2 * index + 1]
        x = block.layer0(w0, noise0) if x is None else block.layer0(x, w0, noise0)
        outputs[names[0]] = x
        x = outputs[names[1]] = block.layer1(x, w1, noise1)
        images = outputs[f"ToRGB_lod{lod}"] = block.to_rgb(x)
        if index:
            below = outputs[f"ToRGB_lod{lod + 1}"]
            outputs["Upscale2D" + (f"_{index - 1}" if index > 1 else "")] = upscale2d(below)
            outputs[f"Grow_lod{lod}"] = images  # steady: nothing of the level below
    outputs["images_out"] = images
    outputs.update({f"noise{layer}": nhwc(variable.numpy()[None, None]) for layer, variable in enumerate(synthesis.noise_maps)})
    return outputs


def mapping_outputs(G, z):
    """Every layer's output by the original's name."""
    x = pixel_norm(z)
    outputs = {"PixelNorm": x}
    for index, layer in enumerate(G.mapping.dense_layers):
        x = outputs[f"Dense{index}"] = G.mapping.activation(layer(x))
    outputs["Broadcast"] = outputs["dlatents_out"] = G.mapping(z)
    return outputs


def discriminator_outputs(D, images):
    """Every layer's output by the original's name, those of FromRGB of levels that are not in use too."""
    outputs, x = {}, None
    for lod, block in enumerate(D.blocks):
        name = f"{block.side}x{block.side}"
        outputs[f"FromRGB_lod{lod}"] = block.embed(images)
        x = outputs["FromRGB_lod0"] if x is None else x
        if block.is_last:
            x = outputs[f"{name}/MinibatchStddev"] = minibatch_stddev(x)
            x = outputs[f"{name}/Conv"] = block.activation(block.conv(x))
            x = outputs[f"{name}/Dense0"] = block.activation(block.dense0(x))
            outputs[f"{name}/Dense1"] = outputs["scores_out"] = block.dense1(x)
            return outputs
        x = outputs[f"{name}/Conv0"] = block.activation(block.conv0(x))
        x = outputs[f"{name}/Conv1_down"] = outputs[f"Grow_lod{lod}"] = block.activation(block.conv1_down(x))
        images = downscale2d(images)
        outputs["Downscale2D" + (f"_{lod}" if lod else "")] = images


def compare(recorded, prefix, outputs):
    """Every recorded array of one network, and none left out."""
    names = {key.removeprefix(prefix) for key in recorded if key.startswith(prefix)} - {"lod"}
    assert set(outputs) == names
    for name in names:
        assert_close(outputs[name], nhwc(recorded[prefix + name]), TOLERANCE, name)


def test_every_layer_of_the_synthesis_network(G32, recorded, io):
    compare(recorded, "S|", synthesis_outputs(G32, io["dlatents"][:2]))


def test_every_layer_of_the_mapping_network(G32, recorded, io):
    compare(recorded, "M|", mapping_outputs(G32, io["z"][:2]))


def test_every_layer_of_the_discriminator(D32, recorded, io):
    compare(recorded, "D|", discriminator_outputs(D32, nhwc(io["D_images"][:4])))


def test_the_layers_are_those_that_the_networks_run(G32, D32, recorded, io):  # the walks above must not drift from the code
    np.testing.assert_array_equal(G32.synthesis(io["dlatents"][:2], noise_mode="const"),
                                  synthesis_outputs(G32, io["dlatents"][:2])["images_out"])  # fmt: skip
    images = nhwc(io["D_images"][:4])
    np.testing.assert_array_equal(D32(images), discriminator_outputs(D32, images)["scores_out"])
