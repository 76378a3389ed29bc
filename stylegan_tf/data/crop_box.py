"""A fixed crop of every image, as the original makes of aligned CelebA."""

from stylegan_tf.data.decode import Decoded
from stylegan_tf.data.sources.base import UnusableImage


class BoxCrop:
    """Cuts out the square of `side` pixels around (centre_x, centre_y)."""

    def __init__(self, centre_x: int, centre_y: int, side: int):
        self.left, self.top, self.side = centre_x - side // 2, centre_y - side // 2, side

    def __call__(self, decoded: Decoded, name: str) -> Decoded:
        """The cut-out.

        Raises:
            UnusableImage: the square does not lie in the image.
        """
        height, width = decoded.pixels.shape[:2]
        right, bottom = self.left + self.side, self.top + self.side
        if self.left < 0 or self.top < 0 or right > width or bottom > height:
            raise UnusableImage(
                "crop outside of the image", f"columns {self.left} to {right}, rows {self.top} to {bottom} of {width}x{height}"
            )
        pixels = decoded.pixels[self.top : bottom, self.left : right]
        return Decoded(pixels, decoded.kind, (self.side, self.side), decoded.notes)
