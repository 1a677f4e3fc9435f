"""Evaluates a model on a split: teacher-forced, and free-running."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.training.batching import by_length, collate
from bench.training.decoding import Decoding, decode, greedy, n_best
from bench.training.losses import last_layer, logit_rows
from tasks import EOS, Facts, Ids, Indices, Outputs, Ragged, Split, Task
from variants import Batch, Model, Readout, real
from variants.fast.stacked import by_replica

Heads = tuple[torch.Tensor, ...] | tuple[Readout, ...]
"""Logits_NV of each target stream, or the last layer that they are made by."""
Collate = Callable[[Split, Facts, str], Batch]
DECODED_ROWS = 128
"""Number of examples in a batch: a constant, as a row's last bits depend on its batch's size."""
SATURATED_BEYOND = 0.99
"""Absolute value of an encoder output above which it counts as saturated."""
LARGEST_LOSS = 700.0
"""Loss from which its exponential is no finite float."""
GREEDY = Decoding()
"""The decoding while training, whatever the one of test is."""


class Evaluation(NamedTuple):
    """The results of a model on one split.

    loss: mean per token, end symbols included, in nats. forced_accuracy: share of tokens, end
    symbols included, that are right when the reference is fed; for a tagger, of labels. scores: the
    task's own, of the free-running outputs. ended: share of outputs that stopped before the limit.
    forced_token_accuracy: as forced_accuracy without end symbols, which token_accuracy of the
    free-running outputs does not count either; None if it was not counted. outputs: what was
    scored. stopped: for each output, whether it stopped before the limit.
    """

    loss: float
    forced_accuracy: float
    scores: dict[str, float]
    ended: float
    outputs: Outputs | None = None
    stopped: Sequence[bool] = ()
    forced_token_accuracy: float | None = None

    @property
    def perplexity(self) -> float:
        """Return e to the loss per token, infinity where that is beyond a float."""
        return math.exp(self.loss) if self.loss < LARGEST_LOSS else math.inf


def one_definition(result: Evaluation, facts: Facts) -> dict[str, float]:
    """Return the teacher-forced scores that compare with those of free-running outputs.

    forced_token_accuracy: as `token_accuracy`, of tokens without end symbols. perplexity: e to the
    loss per token, end symbols included; not of a tagger, whose loss mixes heads.
    """
    scores = {}
    if result.forced_token_accuracy is not None:
        scores["forced_token_accuracy"] = result.forced_token_accuracy
    if not facts.tagging and math.isfinite(result.perplexity):
        scores["perplexity"] = result.perplexity
    return scores


class Forced(NamedTuple):
    """Teacher-forced results, as sums over a batch's tokens: the loss (), the right answers ().

    right_tokens, counted: right answers () and all of them (), end symbols left out.
    """

    loss: torch.Tensor
    right: torch.Tensor
    tokens: int
    right_tokens: torch.Tensor
    counted: torch.Tensor


@torch.no_grad()
def evaluate(
    model: Model,
    task: Task,
    split: Split,
    device: str,
    collate: Collate = collate,
    decoding: Decoding = GREEDY,
) -> Evaluation:
    """Evaluate a model on all examples of a split.

    collate: as the run that trained the model has it. decoding: how outputs are made.
    """
    sums = _Sums(split)
    for indices in by_length(split, DECODED_ROWS):
        batch = collate(split.take(indices), task.facts, device)
        sums.add(indices, _answers(model, batch, task.facts, decoding))
    return sums.evaluation(task)


@torch.no_grad()
def evaluate_stack(
    model: Model, count: int, task: Task, split: Split, device: str, collate: Collate
) -> list[Evaluation]:
    """Evaluate each of `count` models of a stack as `evaluate` does one, decoding greedily.

    model: as in variants.fast.stacked. All of them read and decode the same batches at once.
    """
    sums = [_Sums(split) for _ in range(count)]
    for indices in by_length(split, DECODED_ROWS):
        batch = collate(split.take(indices), task.facts, device)
        answers = _stack_answers(model, count, batch, task.facts)
        for of_model, of_batch in zip(sums, answers, strict=True):
            of_model.add(indices, of_batch)
    return [of_model.evaluation(task) for of_model in sums]


class _Answers(NamedTuple):
    """The answers of a model to a batch; stopped: for each output, whether it ended."""

    forced: Forced
    outputs: Outputs
    stopped: Sequence[bool]


class _Sums:
    """The answers of one model, put together over the batches of a split."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._forced: list[Forced] = []
        self._outputs: list[dict[int, Ids]] = [{} for _ in split.targets]
        self._stopped: dict[int, bool] = {}

    def add(self, indices: Indices, answers: _Answers) -> None:
        """Add the answers to the examples at these places of the split."""
        self._forced.append(answers.forced)
        self._stopped.update(zip(indices.tolist(), answers.stopped, strict=True))
        for stream, rows in zip(self._outputs, answers.outputs, strict=True):
            stream.update(zip(indices.tolist(), rows, strict=True))

    def evaluation(self, task: Task) -> Evaluation:
        """Return the results on the whole split."""
        places = range(len(self._split))
        count = sum(part.tokens for part in self._forced)
        right = sum(int(part.right) for part in self._forced)
        given: Outputs = [[stream[index] for index in places] for stream in self._outputs]
        return Evaluation(
            loss=float(sum(float(part.loss) for part in self._forced)) / count,
            forced_accuracy=right / (count * len(self._outputs)),
            scores=plain_scores(task.score(given, self._split), task.metric),
            ended=sum(self._stopped.values()) / len(places),
            outputs=given,
            stopped=[self._stopped[index] for index in places],
            forced_token_accuracy=sum(int(part.right_tokens) for part in self._forced)
            / max(sum(int(part.counted) for part in self._forced), 1),
        )


def _answers(model: Model, batch: Batch, facts: Facts, decoding: Decoding) -> _Answers:
    """Return the answers to a batch.

    A tagger's outputs are its likeliest labels, which end with the source.
    """
    if facts.tagging:
        logits = model.score(batch)
        scored = forced(logits, batch, facts)
        return _Answers(scored, _labels(logits, batch), [True] * len(batch.lengths_B))
    # the last layer alone, where the model has it: logits of all tokens at once take much memory
    heads: Heads = last_layer(model, batch) or model.score(batch)
    scored = forced(heads, batch, facts)
    decoded = decode(model, batch, facts.length_limit, decoding)
    return _Answers(scored, [decoded.ids], decoded.ended)


def _stack_answers(model: Model, count: int, batch: Batch, facts: Facts) -> list[_Answers]:
    """Return the answers of each of `count` models of a stack to a batch, as `_answers` does."""
    repeated = _repeated(batch, count)
    offered = None if facts.tagging else last_layer(model, repeated)
    heads: Heads = offered or model.score(repeated)
    of_models = list(zip(*(_by_model(head, count) for head in heads), strict=True))
    scored = [forced(of_model, batch, facts) for of_model in of_models]
    rows = len(batch.lengths_B)
    if facts.tagging:
        labels = [_labels(logits, batch) for logits in of_models]
        return [
            _Answers(of_model, outputs, [True] * rows)
            for of_model, outputs in zip(scored, labels, strict=True)
        ]
    ids, ended, _ = greedy(model, repeated, facts.length_limit)
    return [
        _Answers(of_model, [ids[start : start + rows]], ended[start : start + rows])
        for of_model, start in zip(scored, range(0, len(ids), rows), strict=True)
    ]


def _by_model(head: torch.Tensor | Readout, count: int) -> list[Any]:
    """Return what a head of a stack is for each of its `count` models: logits_NV or a Readout."""
    if isinstance(head, torch.Tensor):
        return list(by_replica(head, count))
    values = by_replica(head.values_NH, count)
    return [Readout(*each) for each in zip(values, head.weight_VH, head.bias_V, strict=True)]


def _repeated(batch: Batch, count: int) -> Batch:
    """Return a batch with all its rows `count` times, one copy after another."""
    starts = torch.arange(count, device=batch.places_N.device) * batch.mask_BT.numel()
    return Batch(
        source_BS=batch.source_BS.repeat(count, 1),
        source_mask_BS=batch.source_mask_BS.repeat(count, 1),
        lengths_B=batch.lengths_B.repeat(count),
        even=batch.even,
        inputs_BT=batch.inputs_BT.repeat(count, 1),
        targets=tuple(target.repeat(count, 1) for target in batch.targets),
        mask_BT=batch.mask_BT.repeat(count, 1),
        places_N=(starts[:, None] + batch.places_N).flatten(),
        tokens=batch.tokens * count,
    )


def plain_scores(scores: dict[str, float], metric: str) -> dict[str, float]:
    """Return a task's scores unchanged.

    ValueError if the metric is not among them, or one is no plain number.
    """
    for name, value in scores.items():
        if not isinstance(name, str) or not isinstance(value, float | int):
            raise ValueError(f"the task's score gives {name!r}: {value!r}; give plain floats")
    if metric not in scores:
        raise ValueError(f"the task's score has no {metric}, which it selects by; add it")
    return scores


def forced(heads: Heads, batch: Batch, facts: Facts) -> Forced:
    """Return loss and right answers, summed over real positions, with losses mixed by weight.

    Logits are made some rows at a time where the heads are not logits already.
    """
    loss = torch.zeros((), dtype=torch.float64, device=batch.mask_BT.device)
    right = torch.zeros((), dtype=torch.int64, device=batch.mask_BT.device)
    right_tokens, counted = right.clone(), right.clone()
    parts: tuple[torch.Tensor | Readout, ...] = heads
    for head, target_BT, weight in zip(parts, batch.targets, facts.head_weights, strict=True):
        target_N = real(target_BT, batch)
        for logits_NV, rows in _logits(head):
            target = target_N[rows]
            entropy = torch.nn.functional.cross_entropy(logits_NV, target, reduction="sum")
            loss += weight * entropy.double()
            hit = logits_NV.argmax(-1) == target
            # a tagger's labels have no end symbol: its id is a label like others
            inner = torch.ones_like(hit) if facts.tagging else target != EOS
            right += hit.sum()
            right_tokens += (hit & inner).sum()
            counted += inner.sum()
    return Forced(loss, right, batch.tokens, right_tokens, counted)


def _logits(head: torch.Tensor | Readout) -> Iterator[tuple[torch.Tensor, slice]]:
    """Yield logits_NV of a head, and the positions N that they are of, some at a time."""
    if isinstance(head, torch.Tensor):
        yield head, slice(None)
        return
    values_NH, weight_VH, _ = head
    for rows in logit_rows(len(values_NH), len(weight_VH), values_NH.device.type):
        yield head._replace(values_NH=values_NH[rows]).logits(), rows


def _labels(logits: tuple[torch.Tensor, ...], batch: Batch) -> list[list[Ids]]:
    """Return a tagger's labels for each head and row, given logits_NV of each head."""
    ends = np.cumsum(batch.lengths_B.numpy())[:-1]
    return [
        list(np.split(head_NC.argmax(-1).cpu().numpy().astype(np.int32), ends))
        for head_NC in logits
    ]


@torch.no_grad()
def saturation(model: Model, batch: Batch) -> float | None:
    """Return the share of encoder outputs_BSD that are beyond +-0.99, at real positions.

    None where the model offers no such outputs.
    """
    outputs_BSD = getattr(model.encode(batch).memory, "outputs_BSD", None)
    if outputs_BSD is None:
        return None
    real = outputs_BSD[batch.source_mask_BS]
    return float((real.abs() > SATURATED_BEYOND).double().mean())


def samples(
    model: Model,
    task: Task,
    device: str,
    count: int,
    collate: Collate = collate,
    decoding: Decoding = GREEDY,
) -> list[dict[str, object]]:
    """Return outputs for the first `count` test examples and the task's probes, as text."""
    test = task.splits["test"]
    shown = test.take(np.arange(min(count, len(test)), dtype=np.int64))
    rows: list[dict[str, object]] = []
    for index in range(len(shown)):
        one = shown.take(np.array([index]))
        references = [stream[0] for stream in one.targets]
        row = run_one(model, task, one.source[0], device, collate, decoding)
        reference = task.target_text(references, one.source[0])
        rows.append({"source": row.pop("source"), "reference": reference, **row})
    rows += [
        {**run_one(model, task, task.encode(text), device, collate, decoding), "probe": True}
        for text in task.probes
    ]
    return rows


@torch.no_grad()
def run_one(
    model: Model,
    task: Task,
    source: Ids,
    device: str,
    collate: Collate = collate,
    decoding: Decoding = GREEDY,
    typed: str | None = None,
) -> dict[str, object]:
    """Return a model's output for one source as text, and attention with its symbols.

    typed: the text that a person typed for this source, if one did.
    """
    batch = collate(task.single(source), task.facts, device)
    if task.facts.tagging:
        streams = [rows[0] for rows in _labels(model.score(batch), batch)]
        if typed is not None:
            shown, marked = task.typed_answer(streams, typed)
            return {"source": shown, "output": marked}
        return {
            "source": task.source_text(source),
            "output": task.target_text(streams, source),
        }
    decoded = decode(model, batch, task.facts.length_limit, decoding, attention=True)
    row: dict[str, object] = {
        "source": task.source_text(source),
        "output": task.target_text([decoded.ids[0]], source),
        "ended": decoded.ended[0],
    }
    if decoded.attention is not None:
        row["attention"] = decoded.attention[0]
        row["source_symbols"] = task.source.decode(source)
        row["output_symbols"] = task.target.decode(decoded.ids[0])
    return row


@torch.no_grad()
def run_many(
    model: Model,
    task: Task,
    sources: Sequence[Ids],
    typed: Sequence[str],
    decoding: Decoding = GREEDY,
    best: int = 1,
) -> list[list[tuple[str, float | None]]]:
    """Return a model's outputs for a batch of sources: texts, best first, with their scores.

    typed: the text that each source was typed as. best: number of outputs of a beam; the score is
    its normalised log-probability, None without a beam.
    """
    splits = [task.single(source) for source in sources]
    streams = tuple(
        Ragged.of(split.targets[place][0] for split in splits)
        for place in range(len(task.facts.target_sizes))
    )
    batch = collate(Split(Ragged.of(sources), streams), task.facts, "cpu")
    if task.facts.tagging:
        labels = _labels(model.score(batch), batch)
        rows = zip(zip(*labels, strict=True), typed, strict=True)
        return [[(task.typed_answer(row, text)[1], None)] for row, text in rows]
    limit = task.facts.length_limit
    if best == 1:
        decoded = decode(model, batch, limit, decoding)
        return [
            [(task.target_text([ids], source), None)]
            for ids, source in zip(decoded.ids, sources, strict=True)
        ]
    found = n_best(model, batch, limit, decoding, best)
    return [
        [(task.target_text([one.ids], source), one.score) for one in row]
        for row, source in zip(found, sources, strict=True)
    ]
