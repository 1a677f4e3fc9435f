"""Collator / labels / shift_tokens_right in the way of the big libraries, but with a small GRU."""
import random
import sys
from types import SimpleNamespace

import torch
from torch import nn
from torch.utils.data import DataLoader

config = SimpleNamespace(vocab_size=30, d_model=64, pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=0)


def set_seed(seed):
    random.seed(seed)
    torch.manual_seed(seed)


def shift_tokens_right(labels, pad_token_id, decoder_start_token_id):
    shifted = labels.new_zeros(labels.shape)
    shifted[:, 1:] = labels[:, :-1].clone()
    shifted[:, 0] = decoder_start_token_id
    shifted.masked_fill_(shifted == -100, pad_token_id)
    return shifted


class GRUForConditionalGeneration(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.shared = nn.Embedding(config.vocab_size, config.d_model, padding_idx=config.pad_token_id)
        self.encoder = nn.GRU(config.d_model, config.d_model, batch_first=True)
        self.decoder = nn.GRU(config.d_model, config.d_model, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(config.d_model, 2, batch_first=True)
        self.norm = nn.LayerNorm(config.d_model)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size)

    def encode(self, input_ids):
        return self.encoder(self.shared(input_ids))

    def forward(self, input_ids, attention_mask, labels=None, decoder_input_ids=None, encoder_outputs=None):
        hidden_states, last = encoder_outputs if encoder_outputs is not None else self.encode(input_ids)
        if decoder_input_ids is None:
            decoder_input_ids = shift_tokens_right(labels, self.config.pad_token_id, self.config.decoder_start_token_id)
        x, _ = self.decoder(self.shared(decoder_input_ids), last)
        ctx, _ = self.cross_attn(x, hidden_states, hidden_states, key_padding_mask=attention_mask == 0, need_weights=False)
        logits = self.lm_head(self.norm(x + ctx))
        loss = None
        if labels is not None:
            loss = nn.CrossEntropyLoss()(logits.view(-1, self.config.vocab_size), labels.view(-1))
        return SimpleNamespace(loss=loss, logits=logits)

    @torch.no_grad()
    def generate(self, input_ids, attention_mask, max_new_tokens=8):
        enc = self.encode(input_ids)
        ids = torch.full((len(input_ids), 1), self.config.decoder_start_token_id)
        for _ in range(max_new_tokens):
            nxt = self(input_ids, attention_mask, decoder_input_ids=ids, encoder_outputs=enc).logits[:, -1].argmax(-1)
            ids = torch.cat([ids, nxt[:, None]], 1)
        return ids[:, 1:]


def example():
    # every token becomes its partner (+13), pairs of neighbours change places
    n = random.randint(2, 5)
    src = [random.randint(3, 15) for _ in range(n)]
    out = list(src)
    for i in range(0, n - 1, 2):
        out[i], out[i + 1] = out[i + 1], out[i]
    return {"input_ids": src + [2], "labels": [t + 13 for t in out] + [2]}


def data_collator(features):
    n, m = max(len(f["input_ids"]) for f in features), max(len(f["labels"]) for f in features)
    return {
        "input_ids": torch.tensor([f["input_ids"] + [1] * (n - len(f["input_ids"])) for f in features]),
        "attention_mask": torch.tensor([[1] * len(f["input_ids"]) + [0] * (n - len(f["input_ids"])) for f in features]),
        "labels": torch.tensor([f["labels"] + [-100] * (m - len(f["labels"])) for f in features]),
    }


if __name__ == "__main__":
    set_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    torch.set_num_threads(1)
    eval_dataset = [example() for _ in range(200)]
    seen = {tuple(e["input_ids"]) for e in eval_dataset}
    train_dataset = [e for e in (example() for _ in range(3600)) if tuple(e["input_ids"]) not in seen]
    model = GRUForConditionalGeneration(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    loader = DataLoader(train_dataset, batch_size=50, shuffle=True, collate_fn=data_collator)
    for epoch in range(5):
        model.train()
        for step, batch in enumerate(loader):
            outputs = model(**batch)
            outputs.loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        print({"epoch": epoch, "loss": round(outputs.loss.item(), 4)})
    model.eval()
    batch = data_collator(eval_dataset)
    labels = batch.pop("labels")
    preds = model.generate(**batch)[:, : labels.size(1)]
    mask = labels != -100
    right = ((preds == labels) | ~mask).all(1).float().mean().item()
    print(f"held-out score: {right:.3f}")
