"""What stands still and what moves: the per-pixel median over time, and how far each frame is from it.

A camera trap does not move, so the median over a clip's frames is the place without its animals.
"""

from functools import cache, reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from primatrix.video import sample_uniform

__all__ = [
    "find_background",
    "find_usual_change",
    "fold_pixels",
    "follow_light",
    "level_contrast",
    "measure_change",
    "measure_novelty",
]

MOST_FRAMES = 15  # the median of 15 frames in place of 30 halves the time; animals rarely fill 8 of them
MOST_LIGHT = 16  # grey levels: an animal near by is no change of light
LEAST_SPREAD = 6.0  # grey levels: what is smoother than that shows noise
NOISE_FLOOR = 2.0  # of 255: what the encoder alone does to a pixel that stands still


def find_background(x: Tensor) -> Tensor:
    """Clips (B, T, H, W, C) of any dtype -> their per-pixel median over at most 15 frames, (B, H, W, C).

    A sorting network of minima and maxima: 20 times faster than `sort` for bytes on a CPU. Of an even number
    of frames one is left out; of two the darker value is taken.

    >>> find_background(torch.tensor([9, 1, 5, 7, 5]).view(1, 5, 1, 1, 1)).item()
    5
    """
    count = min(MOST_FRAMES, x.shape[1])
    count -= (count + 1) % 2 if count > 2 else 0
    rows = [x[:, i] for i in sample_uniform(x.shape[1], count)]
    for low, high in median_network(count):
        rows[low], rows[high] = torch.minimum(rows[low], rows[high]), torch.maximum(rows[low], rows[high])
    return rows[(count - 1) // 2]


@cache
def median_network(count: int) -> tuple[tuple[int, int], ...]:
    """Which pairs to put in order so that the middle one of `count` values ends in the middle.

    Batcher's merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M) without the
    comparisons that the middle does not depend on.

    >>> median_network(3)
    ((0, 2), (0, 1), (1, 2))
    """
    pairs: list[tuple[int, int]] = []
    top = 1 << max(0, (count - 1).bit_length() - 1)
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(count - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    wanted, kept = {(count - 1) // 2}, []
    for low, high in reversed(pairs):
        if low in wanted or high in wanted:
            wanted |= {low, high}
            kept.append((low, high))
    return tuple(reversed(kept))


def fold_pixels(x: Tensor, *, side_px: int) -> Tensor:
    """Squares of pixels become channels: (B, T, H, W, C) -> (B, T, H/side, W/side, C*side*side), colour first.

    No value is lost, and what follows works on fewer, wider pixels. Edges that do not fill a square are cut off.

    >>> fold_pixels(torch.arange(12).view(1, 1, 2, 2, 3), side_px=2).flatten().tolist()
    [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]
    """
    clips, frames, height_px, width_px, colours = x.shape
    height_px, width_px = height_px // side_px, width_px // side_px
    folded = x.new_empty(clips, frames, height_px, width_px, colours, side_px, side_px)
    for top in range(side_px):  # one strided copy for each place in the square: 4 times faster than permute
        for left in range(side_px):
            part = x[:, :, top::side_px, left::side_px]
            folded[..., top, left] = part[:, :, :height_px, :width_px]
    return folded.flatten(4)


def follow_light(x: Tensor, background: Tensor, *, colours: int) -> Tensor:
    """The background as bright as each frame has it: (B, h, w, C*n) -> (B, T, h, w, C*n), of x's dtype.

    A change of the whole picture (a cloud, a flickering lamp) is no animal: its mean over each frame of
    x (B, T, h, w, C*n) is added, with at most 16 grey levels per pixel.

    >>> follow_light(torch.tensor([9, 50, 9]).view(1, 3, 1, 1, 1), torch.full((1, 1, 1, 1), 9), colours=1).flatten()
    tensor([ 9, 25,  9])
    """
    places = x.shape[-1] // colours
    still = background[:, None]
    one, its = x[..., ::places], still[..., ::places]  # one pixel of a square tells the light
    if x.dtype != torch.uint8:
        change = (one.float() - its.float()).clamp_(-MOST_LIGHT, MOST_LIGHT)
        return still + change.mean((2, 3, 4), keepdim=True).to(x.dtype)
    # Bytes stay bytes, a fifth of the time: each sum may pass 255 nowhere.
    darkest = its - its.clamp(max=MOST_LIGHT)
    brightest = its.clamp(max=255 - MOST_LIGHT) + MOST_LIGHT
    near = torch.maximum(torch.minimum(one, brightest), darkest)
    total, usual = (part.flatten(2).sum(2, dtype=torch.int32) for part in (near, its))  # half of int64's time
    change = total - usual
    light = (change / its[0].numel()).round()[..., None, None, None]
    more, less = light.clamp(min=0).to(torch.uint8), (-light).clamp(min=0).to(torch.uint8)
    return torch.maximum(torch.minimum(still, 255 - more) + more, less) - less


def measure_change(x: Tensor, still: Tensor, *, colours: int) -> Tensor:
    """How far each pixel is from the background: (B, T, h, w, C*n) twice -> (B, T, h, w, n), largest over colours."""
    difference = torch.maximum(x, still) - torch.minimum(x, still)  # bytes stay bytes
    return reduce(torch.maximum, split_colours(difference, colours=colours))


def split_colours(x: Tensor, *, colours: int) -> list[Tensor]:
    """The colours of (..., C*n), each (..., n).

    Four bytes of a colour are copied as one number, so that what follows works on long runs: a third of the time.

    >>> [part.tolist() for part in split_colours(torch.arange(8, dtype=torch.uint8), colours=2)]
    [[0, 1, 2, 3], [4, 5, 6, 7]]
    """
    if x.dtype == torch.uint8 and x.shape[-1] == 4 * colours and x.is_contiguous():
        words = x.view(torch.int32)  # (..., C)
        return [words[..., i, None].contiguous().view(torch.uint8) for i in range(colours)]
    return list(x.view(*x.shape[:-1], colours, -1).unbind(-2))


def find_usual_change(change: Tensor) -> Tensor:
    """What each pixel does anyway, in grey levels: change (B, T, h, w, n) -> float32 (B, h, w, n).

    Its median over time, the clip's noise and what an encoder does, so that leaves that sway all the time count less
    than what moves once.
    """
    usual = find_background(change).float()
    return usual + usual.mean((1, 2, 3), keepdim=True) + NOISE_FLOOR


def measure_novelty(change: Tensor, usual: Tensor) -> Tensor:
    """Change (B, T, h, w, n) in units of four times the usual one (B, h, w, n), at most 4, of usual's dtype.

    >>> measure_novelty(torch.tensor([[[[[80]]]]]), torch.tensor([[[[10.0]]]])).item()
    2.0
    """
    return (change.to(usual.dtype) / (4 * usual[:, None])).clamp_(max=4)


def level_contrast(picture: Tensor, *, colours: int) -> Tensor:
    """Pictures (B, h, w, C*n), 0-255, grey and as contrasty everywhere: float32 (B, h, w, n), about -2 to 2.

    From each pixel the mean around it is taken, and what is left is divided by the spread around it (within an eighth
    of the picture's shorter side), so that sun, dusk and infrared light show the same place. Local contrast
    normalisation: Jarrett et al., 2009, "What is the best multi-stage architecture for object recognition?"

    >>> bright = torch.randint(100, 200, (1, 16, 16, 1))
    >>> leveled = [level_contrast(x, colours=1) for x in (bright, bright / 2 + 30)]
    >>> bool((leveled[0] - leveled[1]).abs().max() < 0.5)
    True
    """
    grey = picture.float().view(*picture.shape[:-1], colours, -1).mean(-2)
    height, width = grey.shape[1:3]
    side = 2 * (min(height, width) // 8) + 1
    moments = torch.stack([grey.mean(-1), (grey * grey).mean(-1)], 1)  # (B, 2, h, w)
    for kernel in ((side, 1), (1, side)):  # a square is a column of rows
        padding = (kernel[0] // 2, kernel[1] // 2)
        moments = F.avg_pool2d(moments, kernel, 1, padding, count_include_pad=False)
    mean, square = moments[..., None].unbind(1)
    spread = (square - mean * mean).clamp(min=0).sqrt()
    return (grey - mean) / (spread + LEAST_SPREAD)
