# mypy: ignore-errors
"""Runs in JoeyNMT's own environment: its training steps and its greedy decoding, timed on demand.

python joeynmt_worker.py FOLDER reads case.json and given.npz there, then obeys lines of standard
input: `train N` does N updates and answers with their seconds and the first loss; `epoch` goes
once over all examples; `decode` decodes all, writes outputs.npz, and answers with the seconds.
One line of JSON an answer. Nothing of this suite is imported.
"""

import itertools
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from joeynmt.batch import Batch
from joeynmt.decoders import RecurrentDecoder
from joeynmt.embeddings import Embeddings
from joeynmt.encoders import RecurrentEncoder
from joeynmt.model import Model
from joeynmt.search import search

PAD, BOS, EOS = 0, 1, 2


def build(case, given):
    """Their model with our weights."""
    encoder = RecurrentEncoder(
        rnn_type=case["cell"],
        hidden_size=case["hidden"],
        emb_size=case["embedding"],
        num_layers=1,
        bidirectional=True,
    )
    decoder = RecurrentDecoder(
        rnn_type=case["cell"],
        emb_size=case["embedding"],
        hidden_size=case["hidden"],
        encoder=encoder,
        attention="luong",
        num_layers=1,
        vocab_size=case["targets"],
        init_hidden="zero",
        input_feeding=True,
    )
    words = SimpleNamespace(
        pad_index=PAD,
        bos_index=BOS,
        eos_index=EOS,
        sep_index=None,
        unk_index=None,
        specials=[],
        lang_tags=[],
    )
    embeddings = [
        Embeddings(embedding_dim=case["embedding"], vocab_size=case[side], padding_idx=PAD)
        for side in ("sources", "targets")
    ]
    model = Model(encoder, decoder, *embeddings, words, words)
    model.loss_function = ("crossentropy", 0.0)
    weights = {
        name.removeprefix("weights."): torch.from_numpy(value)
        for name, value in given.items()
        if name.startswith("weights.")
    }
    model.load_state_dict(weights, strict=True)
    return model.to(case["device"])


def ragged(given, name):
    """Rows of ids."""
    return np.split(given[f"{name}_ids"], given[f"{name}_offsets"][1:-1])


def padded(rows):
    """Rows of unlike length as one tensor."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows])


def batch_of(sources, targets, device):
    """What their collate_fn makes of some examples."""
    return Batch(
        src=padded(sources),
        src_length=torch.tensor([len(row) for row in sources]),
        src_prompt_mask=None,
        trg=padded([[BOS, *row, EOS] for row in targets]),
        trg_prompt_mask=None,
        indices=torch.arange(len(sources)),
        device=torch.device(device),
        pad_index=PAD,
        eos_index=EOS,
    )


class Trainer:
    """As joeynmt.training.TrainManager, without validation, logging and checkpoints."""

    def __init__(self, case, given):
        torch.manual_seed(0)
        self.case, self.model = case, build(case, given)
        # build_optimizer's: torch's own, with its defaults
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=case["learning_rate"], betas=(0.9, 0.999)
        )
        self.sources, self.targets = ragged(given, "source"), ragged(given, "target")
        self.batches = self.endless()

    def epoch_batches(self):
        """Sentences in random order, so many a batch: their SentenceBatchSampler."""
        size = self.case["batch"]
        order = torch.randperm(len(self.sources)).tolist()
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            sources, targets = ([side[i] for i in chosen] for side in (self.sources, self.targets))
            yield batch_of(sources, targets, self.case["device"])

    def endless(self):
        """Epoch after epoch."""
        while True:
            yield from self.epoch_batches()

    def step(self, batch):
        """_train_step, and what train_and_validate does after it."""
        self.model.train()
        batch.sort_by_src_length()
        loss, _, _, correct = self.model(return_type="loss", **vars(batch))
        loss = batch.normalize(loss, normalization="tokens", n_gpu=0, n_accumulation=1)
        loss.backward()
        value, _ = loss.item(), correct.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=1.0)
        self.optimizer.step()
        self.model.zero_grad()
        return value

    def train(self, count):
        """So many steps, their batches made beforehand."""
        batches = list(itertools.islice(self.batches, count))
        self.wait()
        since = time.perf_counter()
        losses = [self.step(batch) for batch in batches]
        self.wait()
        return {"seconds": time.perf_counter() - since, "loss": losses[0]}

    def epoch(self):
        """All examples once, batching included."""
        self.wait()
        since = time.perf_counter()
        for batch in self.epoch_batches():
            self.step(batch)
        self.wait()
        return {"seconds": time.perf_counter() - since}

    def decode(self, folder):
        """All examples, as joeynmt.prediction does: in order, each batch sorted by length."""
        self.model.eval()
        size, outputs = self.case["batch"], []
        since = time.perf_counter()
        for start in range(0, len(self.sources), size):
            rows = slice(start, start + size)
            batch = batch_of(self.sources[rows], self.targets[rows], self.case["device"])
            back = batch.sort_by_src_length()
            found, _, _ = search(
                model=self.model,
                batch=batch,
                max_output_length=self.case["limit"],
                beam_size=1,
                beam_alpha=-1,
                min_output_length=0,
            )
            outputs += list(found[back])
        seconds = time.perf_counter() - since
        np.savez(folder / "outputs.npz", *outputs)
        return {"seconds": seconds}

    def wait(self):
        """Until the device is done."""
        if self.case["device"] == "cuda":
            torch.cuda.synchronize()


def main(folder):
    """Obey until the input ends."""
    case = json.loads((folder / "case.json").read_text())
    torch.set_num_threads(1)
    trainer = Trainer(case, dict(np.load(folder / "given.npz")))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order, *rest = line.split()
        if order == "train":
            answer = trainer.train(int(rest[0]))
        elif order == "epoch":
            answer = trainer.epoch()
        else:
            answer = trainer.decode(folder)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
