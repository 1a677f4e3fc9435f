"""Attention that leans on padding in training is found where the evaluation has none."""

from __future__ import annotations

from pathlib import Path

from tests.bench.watching.scripts import causes, findings

NOT_PACKED = (
    "        packed = pack_padded_sequence(\n"
    "            self.source(source), lengths, batch_first=True, enforce_sorted=False\n"
    "        )\n"
    "        return self.encoder(packed)[1]",
    "        self.memory, _ = self.encoder(self.source(source))\n"
    "        self.hidden = source == 0\n"
    "        return torch.zeros(1, len(source), 48)",
)
ATTENDS = (
    "        return self.out(self.dropout(output)), state",
    "        scores = output @ self.memory.transpose(1, 2)\n"
    "        weights = torch.softmax(scores, -1)\n"
    "        return self.out(self.dropout(output + weights @ self.memory)), state",
)
MASKED = (
    "torch.softmax(scores, -1)",
    "torch.softmax(scores.masked_fill(self.hidden[:, None], -1e9), -1)",
)


def test_attention_that_learns_to_look_at_padding(tmp_path: Path) -> None:
    """Behind the padding the layer's output has read the whole source, and so it is looked at."""
    found = findings(tmp_path, NOT_PACKED, ATTENDS)
    assert found[:1] == [("padding-attended", "certain")]
    assert causes(tmp_path, [NOT_PACKED, ATTENDS, MASKED]) == []
