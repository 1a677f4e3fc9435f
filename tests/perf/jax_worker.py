# mypy: ignore-errors
"""Trains JoeyNMT's and our model in JAX, in an environment of its own, timed on demand.

python jax_worker.py FOLDER reads case.json and given.npz there, then obeys lines of standard input:
`train FORM N` does N updates and answers with their seconds and the first loss. FORM is scan,
unrolled, or vmap (so many models as case.json says, one product each). The first `train` of a form
compiles, and its answer says how long that took. One line of JSON an answer. Nothing of this
suite is imported, and the program is what a JAX user would write: jit of the whole update.

Shapes: B batch, S source, T target, E embedding, H hidden, V vocabulary.
"""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

BETAS, EPSILON, CLIP = (0.9, 0.999), 1e-8, 1.0


def loop(step, carry, inputs, unrolled):
    """Return the last carry and all outputs of a loop over the first axis of the inputs."""
    return jax.lax.scan(step, carry, inputs, unroll=len(inputs) if unrolled else 1)


def lstm(weights, gates_BG, state):
    """Return h and c after a step; gates_BG: the inputs' share, with both biases."""
    h_BH, c_BH = state
    i, f, g, o = jnp.split(gates_BG + h_BH @ weights["hh"].T, 4, axis=-1)
    c_BH = jax.nn.sigmoid(f) * c_BH + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c_BH), c_BH


def direction(weights, embedded_SBE, unrolled):
    """Return the outputs (S, B, H) of one direction of the encoder."""
    gates_SBG = embedded_SBE @ weights["ih"].T + weights["bias"]

    def step(state, gates_BG):
        state = lstm(weights, gates_BG, state)
        return state, state[0]

    zero_BH = jnp.zeros((embedded_SBE.shape[1], weights["hh"].shape[1]))
    return loop(step, (zero_BH, zero_BH), gates_SBG, unrolled)[1]


def loss_of(weights, source_BS, inputs_BT, targets_BT, unrolled):
    """Return the mean loss of a target token."""
    embedded_SBE = weights["sources"][source_BS.T]
    forwards = direction(weights["forwards"], embedded_SBE, unrolled)
    backwards = direction(weights["backwards"], embedded_SBE[::-1], unrolled)[::-1]
    memory_BSM = jnp.concatenate([forwards, backwards], -1).swapaxes(0, 1)
    keys_BSH = memory_BSM @ weights["keys"].T
    decoder = weights["decoder"]
    embedded_TBE = weights["targets"][inputs_BT.T]
    width = embedded_TBE.shape[-1]
    # what does not depend on the step before is multiplied for all steps at once
    gates_TBG = embedded_TBE @ decoder["ih"][:, :width].T + decoder["bias"]

    def step(carry, gates_BG):
        state, readout_BH = carry
        state = lstm(decoder, gates_BG + readout_BH @ decoder["ih"][:, width:].T, state)
        weights_BS = jax.nn.softmax(jnp.einsum("bsh,bh->bs", keys_BSH, state[0]))
        context_BM = jnp.einsum("bs,bsm->bm", weights_BS, memory_BSM)
        both = jnp.concatenate([state[0], context_BM], -1)
        readout_BH = jnp.tanh(both @ weights["merge"].T + weights["merge_bias"])
        return (state, readout_BH), readout_BH

    zero_BH = jnp.zeros((len(source_BS), decoder["hh"].shape[1]))
    _, readouts_TBH = loop(step, ((zero_BH, zero_BH), zero_BH), gates_TBG, unrolled)
    logits_TBV = readouts_TBH @ weights["output"].T + weights["output_bias"]
    likely_TBV = jax.nn.log_softmax(logits_TBV)
    return -jnp.take_along_axis(likely_TBV, targets_BT.T[..., None], -1).mean()


def update(rate, unrolled, state, batch):
    """Return the state after a step of Adam with clipping, and the loss before it."""
    weights, first, second, count = state
    loss, gradients = jax.value_and_grad(loss_of)(weights, *batch, unrolled)
    norm = jnp.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(gradients)))
    factor = jnp.minimum(1.0, CLIP / (norm + 1e-6))
    gradients = jax.tree.map(lambda leaf: leaf * factor, gradients)
    count = count + 1
    first = jax.tree.map(lambda m, g: BETAS[0] * m + (1 - BETAS[0]) * g, first, gradients)
    second = jax.tree.map(lambda v, g: BETAS[1] * v + (1 - BETAS[1]) * g * g, second, gradients)
    corrected = jnp.sqrt(1 - BETAS[1] ** count) / (1 - BETAS[0] ** count)

    def moved(weight, m, v):
        # torch adds epsilon to the corrected root
        root = jnp.sqrt(v) + EPSILON * jnp.sqrt(1 - BETAS[1] ** count)
        return weight - rate * corrected * m / root

    return (jax.tree.map(moved, weights, first, second), first, second, count), loss


def started(given):
    """Return the weights, moments of zero and no steps."""

    def cell(name):
        return {
            "ih": given[f"{name}.weight_ih_l0"],
            "hh": given[f"{name}.weight_hh_l0"],
            "bias": given[f"{name}.bias_ih_l0"] + given[f"{name}.bias_hh_l0"],
        }

    weights = {
        "sources": given["embedding.table"],
        "targets": given["decoder.embedding.table"],
        "forwards": cell("encoder.left_to_right.0.cells.0.layer"),
        "backwards": cell("encoder.right_to_left.0.cells.0.layer"),
        "keys": given["decoder.attention.from_memory.weight"],
        "decoder": cell("decoder.stack.cells.0.layer"),
        "merge": given["decoder.merge.weight"],
        "merge_bias": given["decoder.merge.bias"],
        "output": given["decoder.output.weight"],
        "output_bias": given["decoder.output.bias"],
    }
    weights = jax.tree.map(jnp.asarray, weights)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    return weights, zeros, zeros, jnp.zeros(())


class Trainer:
    """Holds a state and a compiled update for each form."""

    def __init__(self, case, given):
        self.case, self.state = case, started(given)
        batch = [jnp.asarray(given[name]) for name in ("source", "inputs", "targets")]
        self.batches = {"scan": batch, "unrolled": batch}
        stack = partial(jax.tree.map, lambda leaf: jnp.stack([leaf] * case["replicas"]))
        self.batches["vmap"] = stack(batch)
        self.states = {"scan": self.state, "unrolled": self.state, "vmap": stack(self.state)}
        self.compiled = {}

    def train(self, form, count):
        """Return the seconds of so many updates, the first loss and the seconds of compiling."""
        batch, answer = self.batches[form], {}
        if form not in self.compiled:
            since = time.perf_counter()
            step = partial(update, self.case["learning_rate"], form == "unrolled")
            step = jax.vmap(step) if form == "vmap" else step
            jitted = jax.jit(step, donate_argnums=0)
            own = jax.tree.map(jnp.copy, self.states[form])
            self.compiled[form] = jitted.lower(own, batch).compile()
            self.states[form] = own
            answer["compiling"] = time.perf_counter() - since
        step, state, losses = self.compiled[form], self.states[form], []
        jax.block_until_ready(state)
        since = time.perf_counter()
        for _ in range(count):
            state, loss = step(state, batch)
            losses.append(loss)
        jax.block_until_ready((state, losses))
        seconds = time.perf_counter() - since
        self.states[form] = state
        return {"seconds": seconds, "loss": float(np.ravel(losses[0])[0]), **answer}


def main(folder):
    """Obey until the input ends."""
    # XLA takes as many threads as there are cores to run on, when it is first used
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    case = json.loads((folder / "case.json").read_text())
    trainer = Trainer(case, dict(np.load(folder / "given.npz")))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        _, form, count = line.split()
        print(json.dumps(trainer.train(form, int(count))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
