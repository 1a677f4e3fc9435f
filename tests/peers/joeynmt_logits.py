"""Runs in JoeyNMT's own environment: its logits, for weights and batches that are given.

python joeynmt_logits.py FOLDER ... reads case.json and given.npz of each folder and writes
logits.npz beside them. Nothing of this suite is imported.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from joeynmt.decoders import RecurrentDecoder
from joeynmt.encoders import RecurrentEncoder


def main(folder: Path) -> None:
    """One case."""
    case = json.loads((folder / "case.json").read_text())
    given = {name: torch.from_numpy(value) for name, value in np.load(folder / "given.npz").items()}
    encoder = RecurrentEncoder(
        rnn_type=case["cell"],
        hidden_size=case["hidden"],
        emb_size=case["embedding"],
        num_layers=case["depth"],
        bidirectional=True,
    ).double()
    decoder = RecurrentDecoder(
        rnn_type=case["cell"],
        emb_size=case["embedding"],
        hidden_size=case["hidden"],
        encoder=encoder,
        attention=case["attention"],
        num_layers=case["depth"],
        vocab_size=case["symbols"],
        init_hidden=case["start"],
        input_feeding=case["feeding"],
    ).double()
    for name, part in (("encoder", encoder), ("decoder", decoder)):
        mine = {
            key.removeprefix(f"{name}."): value
            for key, value in given.items()
            if key.startswith(f"{name}.")
        }
        part.load_state_dict(mine, strict=True)
        part.eval()
    with torch.no_grad():
        outputs, last = encoder(given["sources"], given["lengths"], None)
        steps = given["targets"].shape[1]
        logits, _, attention, _ = decoder(
            trg_embed=given["targets"],
            encoder_output=outputs,
            encoder_hidden=last,
            src_mask=given["mask"][:, None],
            unroll_steps=steps,
        )
    np.savez(folder / "logits.npz", logits=logits.numpy(), attention=attention.numpy())


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
