"""The 94 convolutions of the Inception of 2015-12-05: their names, in the order of every weights file, and their shapes."""


def _conv(name: str, kernel: tuple[int, int], features_in: int, features_out: int) -> tuple:
    return name, (*kernel, features_in, features_out)


def _block_a(name: str, features_in: int, pool_features: int) -> list[tuple]:
    return [
        _conv(f"{name}/conv", (1, 1), features_in, 64),
        _conv(f"{name}/tower/conv", (1, 1), features_in, 48),
        _conv(f"{name}/tower/conv_1", (5, 5), 48, 64),
        _conv(f"{name}/tower_1/conv", (1, 1), features_in, 64),
        _conv(f"{name}/tower_1/conv_1", (3, 3), 64, 96),
        _conv(f"{name}/tower_1/conv_2", (3, 3), 96, 96),
        _conv(f"{name}/tower_2/conv", (1, 1), features_in, pool_features),
    ]


def _block_b(name: str) -> list[tuple]:
    return [
        _conv(f"{name}/conv", (3, 3), 288, 384),
        _conv(f"{name}/tower/conv", (1, 1), 288, 64),
        _conv(f"{name}/tower/conv_1", (3, 3), 64, 96),
        _conv(f"{name}/tower/conv_2", (3, 3), 96, 96),
    ]


def _block_c(name: str, width: int) -> list[tuple]:
    return [
        _conv(f"{name}/conv", (1, 1), 768, 192),
        _conv(f"{name}/tower/conv", (1, 1), 768, width),
        _conv(f"{name}/tower/conv_1", (1, 7), width, width),
        _conv(f"{name}/tower/conv_2", (7, 1), width, 192),
        _conv(f"{name}/tower_1/conv", (1, 1), 768, width),
        _conv(f"{name}/tower_1/conv_1", (7, 1), width, width),
        _conv(f"{name}/tower_1/conv_2", (1, 7), width, width),
        _conv(f"{name}/tower_1/conv_3", (7, 1), width, width),
        _conv(f"{name}/tower_1/conv_4", (1, 7), width, 192),
        _conv(f"{name}/tower_2/conv", (1, 1), 768, 192),
    ]


def _block_d(name: str) -> list[tuple]:
    return [
        _conv(f"{name}/tower/conv", (1, 1), 768, 192),
        _conv(f"{name}/tower/conv_1", (3, 3), 192, 320),
        _conv(f"{name}/tower_1/conv", (1, 1), 768, 192),
        _conv(f"{name}/tower_1/conv_1", (1, 7), 192, 192),
        _conv(f"{name}/tower_1/conv_2", (7, 1), 192, 192),
        _conv(f"{name}/tower_1/conv_3", (3, 3), 192, 192),
    ]


def _block_e(name: str, features_in: int) -> list[tuple]:
    return [
        _conv(f"{name}/conv", (1, 1), features_in, 320),
        _conv(f"{name}/tower/conv", (1, 1), features_in, 384),
        _conv(f"{name}/tower/mixed/conv", (1, 3), 384, 384),
        _conv(f"{name}/tower/mixed/conv_1", (3, 1), 384, 384),
        _conv(f"{name}/tower_1/conv", (1, 1), features_in, 448),
        _conv(f"{name}/tower_1/conv_1", (3, 3), 448, 384),
        _conv(f"{name}/tower_1/mixed/conv", (1, 3), 384, 384),
        _conv(f"{name}/tower_1/mixed/conv_1", (3, 1), 384, 384),
        _conv(f"{name}/tower_2/conv", (1, 1), features_in, 192),
    ]


# name -> kernel shape [height, width, in, out]
INCEPTION_LAYERS: dict[str, tuple[int, int, int, int]] = dict(
    [
        _conv("conv", (3, 3), 3, 32),
        _conv("conv_1", (3, 3), 32, 32),
        _conv("conv_2", (3, 3), 32, 64),
        _conv("conv_3", (1, 1), 64, 80),
        _conv("conv_4", (3, 3), 80, 192),
        *_block_a("mixed", 192, 32),
        *_block_a("mixed_1", 256, 64),
        *_block_a("mixed_2", 288, 64),
        *_block_b("mixed_3"),
        *_block_c("mixed_4", 128),
        *_block_c("mixed_5", 160),
        *_block_c("mixed_6", 160),
        *_block_c("mixed_7", 192),
        *_block_d("mixed_8"),
        *_block_e("mixed_9", 1280),
        *_block_e("mixed_10", 2048),
    ]
)
