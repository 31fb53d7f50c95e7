"""Captions as a tree of their prefixes, so that what captions have in common is computed once.

"a dog barks" and "a dog howls" share three of their prefixes: the empty one, "a" and "a dog". A decoder's output
after a prefix depends on the prefix and the audio only, so one computation serves every caption that goes on from it.

Shape legend: c captions, l tokens of the longest caption with eos, n distinct prefixes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class PrefixTree:
    """The distinct prefixes of a set of captions; a parent stands before its children.

    Attributes:
        tokens: (n,) the last token of each prefix; bos for the root.
        depth: (n,) tokens before it; 0 for the root.
        parent: (n,) index of the prefix without its last token; the root is its own parent.
        path: (c, l) the prefix from which each token of a caption is predicted; past a caption's end, its last one.
        targets: (c, l) the token to predict there; `-1` past a caption's end.
        example: (n,) for each prefix a place in the flattened `path` that names it.
    """

    tokens: Tensor
    depth: Tensor
    parent: Tensor
    path: Tensor
    targets: Tensor
    example: Tensor

    @property
    def size(self) -> int:
        """n, the number of distinct prefixes."""
        return self.tokens.shape[0]

    def to(self, device: torch.device) -> PrefixTree:
        """The same tree on another device."""
        return PrefixTree(
            tokens=self.tokens.to(device),
            depth=self.depth.to(device),
            parent=self.parent.to(device),
            path=self.path.to(device),
            targets=self.targets.to(device),
            example=self.example.to(device),
        )


def build_prefix_tree(captions: Sequence[Sequence[int]], *, bos: int) -> PrefixTree:
    """Merge captions into their prefix tree.

    Args:
        captions: Token ids of each caption without bos and with eos, all of which are to be predicted.
        bos: The token that every caption begins with.

    Raises:
        ValueError: No captions, or one without a token.
    """
    if not captions:
        raise ValueError("there are no captions")
    if any(len(caption) == 0 for caption in captions):
        raise ValueError("a caption has no tokens; it needs at least its end token")
    longest = max(len(caption) for caption in captions)
    tokens, depth, parent, example = [bos], [0], [0], [0]
    children: dict[tuple[int, int], int] = {}
    path = torch.empty(len(captions), longest, dtype=torch.long)
    targets = torch.full((len(captions), longest), -1, dtype=torch.long)
    for row, caption in enumerate(captions):
        node = 0
        path[row, 0] = 0
        targets[row, : len(caption)] = torch.tensor(caption, dtype=torch.long)
        for place, token in enumerate(caption[:-1], start=1):
            child = children.setdefault((node, int(token)), len(tokens))
            if child == len(tokens):
                tokens.append(int(token))
                depth.append(place)
                parent.append(node)
                example.append(row * longest + place)
            node = child
            path[row, place] = node
        path[row, len(caption) :] = node
    return PrefixTree(
        tokens=torch.tensor(tokens),
        depth=torch.tensor(depth),
        parent=torch.tensor(parent),
        path=path,
        targets=targets,
        example=torch.tensor(example),
    )
