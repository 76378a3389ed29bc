"""The networks once more, slow and obvious, in NumPy float64: the oracle for options that nobody recorded.

Written from a description of the original release alone. All images and features are [N, H, W, C]; weights go by the names of
`networks.named_weights`; options are the arguments of our networks.
"""

import math

import numpy as np

ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0.0), "lrelu": lambda x: np.where(x >= 0, x, 0.2 * x)}


def run_time_scale(kernel, gain, lrmul, use_wscale):
    """Factor of a kernel at run time."""
    return gain / math.sqrt(math.prod(kernel.shape[:-1])) * lrmul if use_wscale else lrmul


def dense(x, weights, name, *, gain, lrmul=1.0, use_wscale=True):
    """x [N, ...] flattened, times the scaled kernel, plus the bias where there is one."""
    kernel = np.float64(weights[f"{name}/kernel"])
    y = x.reshape(len(x), -1) @ (kernel * run_time_scale(kernel, gain, lrmul, use_wscale))
    return y + np.float64(weights.get(f"{name}/bias", 0.0)) * lrmul


def convolve(x, weights, name, *, gain, use_wscale=True):
    """Convolution with zeros outside, without a bias."""
    kernel = np.float64(weights[f"{name}/kernel"])
    kernel = kernel * run_time_scale(kernel, gain, 1.0, use_wscale)
    return np.einsum("nhwkli,klio->nhwo", windows(x, *kernel.shape[:2]), kernel)


def windows(x, height, width):
    """[N, H, W, height, width, C]: what a stride-1 filter with SAME zeros sees at every pixel (extra zeros at the far end)."""
    before = [(size - 1) // 2 for size in (height, width)]
    padded = np.pad(x, [(0, 0), (before[0], height - 1 - before[0]), (before[1], width - 1 - before[1]), (0, 0)])
    n, rows, columns, channels = x.shape
    y = np.empty((n, rows, columns, height, width, channels))
    for i in range(height):
        for j in range(width):
            y[:, :, :, i, j] = padded[:, i : i + rows, j : j + columns]
    return y


def blur(x, taps):
    """Blur with the normalised outer product of the taps; None leaves x alone."""
    if taps is None:
        return x
    kernel = np.outer(taps, taps) / np.sum(taps) ** 2
    return np.einsum("nhwklc,kl->nhwc", windows(x, *kernel.shape), kernel)


def upscale(x):
    """Every pixel twice both ways."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def downscale(x):
    """Means of 2x2 pixels."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def pixel_norm(x):
    """Features divided by their root mean square."""
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-8)


def instance_norm(x):
    """Every map of every sample with mean 0 and biased variance 1."""
    x = x - x.mean(axis=(1, 2), keepdims=True)
    return x / np.sqrt(np.mean(x**2, axis=(1, 2), keepdims=True) + 1e-8)


def minibatch_stddev(x, group_size, num_features):
    """Appends, to every sample, the mean deviation of its group (sample n: group n mod N / group_size)."""
    if group_size <= 1:
        return x
    group = min(group_size, len(x))
    num_groups = len(x) // group
    extra = np.empty((*x.shape[:3], num_features))
    for n in range(len(x)):
        deviation = np.sqrt(x[n % num_groups :: num_groups].var(axis=0) + 1e-8)  # [H, W, C]
        for feature, part in enumerate(np.split(deviation, num_features, axis=-1)):
            extra[n, :, :, feature] = part.mean()
    return np.concatenate([x, extra], axis=-1)


def mapping(weights, z, labels=None, *, mapping_layers=8, mapping_lrmul=0.01, mapping_nonlinearity="lrelu", normalize_latents=True,
            use_wscale=True, **_):  # fmt: skip
    """z [N, z_dim] and labels to w [N, w_dim]."""
    x = np.float64(z)
    if labels is not None:
        x = np.concatenate([x, labels @ np.float64(weights["mapping/label_embedding"])], axis=1)
    if normalize_latents:
        x = pixel_norm(x)
    for layer in range(mapping_layers):
        x = dense(x, weights, f"mapping/dense{layer}", gain=math.sqrt(2), lrmul=mapping_lrmul, use_wscale=use_wscale)
        x = ACTIVATIONS[mapping_nonlinearity](x)
    return x


def epilogue(x, weights, name, w, layer, *, use_noise=True, nonlinearity="lrelu", use_pixel_norm=False, use_instance_norm=True,
             use_styles=True, use_wscale=True, **_):  # fmt: skip
    """Noise, bias, nonlinearity, pixel norm, instance norm, style: in this order."""
    if use_noise:
        x = x + np.float64(weights[f"synthesis/noise{layer}"])[None, :, :, None] * weights[f"{name}/noise_strength"]
    x = ACTIVATIONS[nonlinearity](x + weights[f"{name}/bias"])
    if use_pixel_norm:
        x = pixel_norm(x)
    if use_instance_norm:
        x = instance_norm(x)
    if use_styles:
        style = dense(w, weights, f"{name}/style", gain=1.0, use_wscale=use_wscale).reshape(len(w), 1, 1, 2, -1)
        x = x * (style[..., 0, :] + 1) + style[..., 1, :]
    return x


def synthesis(weights, ws, lod=0.0, *, resolution, const_input=True, blur_filter=(1, 2, 1), **options):
    """ws [N, L, w_dim] to images at a level of detail, with the network's own noise maps."""
    gain, use_wscale = math.sqrt(2), options.get("use_wscale", True)
    images, side, x = {}, 4, None
    while side <= resolution:
        name, layer = f"synthesis/{side}x{side}", 2 * int(math.log2(side)) - 4
        w0, w1 = (ws[:, i if options.get("use_styles", True) else 0] for i in (layer, layer + 1))
        if side > 4:
            first, second = "conv0_up", "conv1"
            x = blur(convolve(upscale(x), weights, f"{name}/{first}", gain=gain, use_wscale=use_wscale), blur_filter)
        elif const_input:
            first, second = "const", "conv"
            x = np.float64(weights[f"{name}/const/const"])[None].repeat(len(ws), axis=0)
        else:
            first, second = "dense", "conv"
            kernel_alone = {f"{name}/{first}/kernel": weights[f"{name}/{first}/kernel"]}  # the bias comes after the noise
            x = dense(w0, kernel_alone, f"{name}/{first}", gain=gain / 4, use_wscale=use_wscale).reshape(len(ws), 4, 4, -1)
        x = epilogue(x, weights, f"{name}/{first}", w0, layer, **options)
        x = convolve(x, weights, f"{name}/{second}", gain=gain, use_wscale=use_wscale)
        x = epilogue(x, weights, f"{name}/{second}", w1, layer + 1, **options)
        rgb = convolve(x, weights, f"{name}/to_rgb", gain=1.0, use_wscale=use_wscale) + weights[f"{name}/to_rgb/bias"]
        images[side] = rgb
        side *= 2
    new = images[resolution >> math.floor(lod)]
    fade = lod - math.floor(lod)
    return new if fade == 0 else new + (upscale(images[resolution >> math.ceil(lod)]) - new) * fade


def discriminator(weights, images, labels=None, lod=0.0, *, resolution, nonlinearity="lrelu", use_wscale=True, mbstd_group_size=4,
                  mbstd_num_features=1, blur_filter=(1, 2, 1), **_):  # fmt: skip
    """images [N, R, R, C] at a level of detail to logits [N, 1]."""
    act, gain = ACTIVATIONS[nonlinearity], math.sqrt(2)

    def layer(x, name):
        return convolve(x, weights, name, gain=gain, use_wscale=use_wscale)

    def from_rgb(x, side):
        name = f"{side}x{side}/from_rgb"
        return act(layer(x, name) + weights[f"{name}/bias"])

    side, fade = resolution >> math.floor(lod), lod - math.floor(lod)
    images = np.float64(images)
    x = from_rgb(images, side)
    while side > 4:
        name = f"{side}x{side}"
        x = act(layer(x, f"{name}/conv0") + weights[f"{name}/conv0/bias"])
        x = act(downscale(layer(blur(x, blur_filter), f"{name}/conv1_down")) + weights[f"{name}/conv1_down/bias"])
        side //= 2
        if fade:
            x, fade = x + (from_rgb(downscale(images), side) - x) * fade, 0.0
    x = minibatch_stddev(x, mbstd_group_size, mbstd_num_features)
    x = act(layer(x, "4x4/conv") + weights["4x4/conv/bias"])
    x = act(dense(x, weights, "4x4/dense0", gain=gain, use_wscale=use_wscale))
    scores = dense(x, weights, "4x4/dense1", gain=1.0, use_wscale=use_wscale)
    return scores if labels is None else np.sum(scores * labels, axis=1, keepdims=True)
