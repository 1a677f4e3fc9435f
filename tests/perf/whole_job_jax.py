# mypy: ignore-errors
"""Trains a model of reversal in JAX up to a share of exact matches, for tests.perf.whole_job.

python whole_job_jax.py FOLDER CORE reads job.json and data.npz there, keeps to one core, and obeys
lines of standard input, one line of JSON an answer. `losses` gives the losses in updates of the
weights and rows of given.npz. `train 3` trains seed 3 and gives the steps that it took to the
target, infinity if the budget was too short. Nothing of this suite is imported.

As a JAX user would write it: all training steps between two evaluations are one jitted scan over
batches that are indexed on the device, and greedy decoding of the validation set is jitted too.
Rows are padded to the longest, as shapes are static. Slower per step and seed on a CPU, and so left
out: unrolling the loops over symbols (which also compiles five times as long), and vmap over the
seeds of a process.

Shapes: N examples, B batch, S source, T target, E embedding, H hidden, V vocabulary, K steps.
"""

import json
import math
import os
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

BETAS, EPSILON, CLIP = (0.9, 0.999), 1e-8, 1.0
PAD, BOS = 0, 1


def started(job, seed):
    """Return the first weights: uniform within 0.1 for embeddings, else as torch draws them."""
    V, E, H = job["symbols"], job["embedding"], job["hidden"]
    cell = {"weight_ih": (4 * H, E), "weight_hh": (4 * H, H)}
    cell |= {"bias_ih": (4 * H,), "bias_hh": (4 * H,)}
    shapes = {"sources": ((V, E), 0.1), "targets": ((V, E), 0.1), "keys": ((H, H), H**-0.5)}
    shapes |= {f"encoder.{name}": (shape, H**-0.5) for name, shape in cell.items()}
    shapes |= {f"decoder.{name}": (shape, H**-0.5) for name, shape in cell.items()}
    shapes |= {"merge": ((H, 2 * H), (2 * H) ** -0.5), "merge_bias": ((H,), (2 * H) ** -0.5)}
    shapes |= {"output": ((V, H), H**-0.5), "output_bias": ((V,), H**-0.5)}
    random = np.random.default_rng(seed)
    return {
        name: random.uniform(-bound, bound, shape).astype(np.float32)
        for name, (shape, bound) in shapes.items()
    }


def lstm(weights, name, gates_BG, state):
    """Return h and c after a step; gates_BG: the inputs' share, with both biases."""
    h_BH, c_BH = state
    i, f, g, o = jnp.split(gates_BG + h_BH @ weights[f"{name}.weight_hh"].T, 4, axis=-1)
    c_BH = jax.nn.sigmoid(f) * c_BH + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c_BH), c_BH


def gates(weights, name, embedded):
    """Return the share (..., G) of inputs (..., E) in a cell's gates, with both biases."""
    biases = weights[f"{name}.bias_ih"] + weights[f"{name}.bias_hh"]
    return embedded @ weights[f"{name}.weight_ih"].T + biases


def encode(weights, source_BS):
    """Return memory_BSH and the last state (h_BH, c_BH), which padding leaves as it is."""

    def step(state, given):
        gates_BG, real_B = given
        after = lstm(weights, "encoder", gates_BG, state)
        state = tuple(jnp.where(real_B[:, None], *pair) for pair in zip(after, state, strict=True))
        return state, state[0]

    gates_SBG = gates(weights, "encoder", weights["sources"][source_BS.T])
    zero_BH = jnp.zeros((len(source_BS), weights["keys"].shape[0]))
    given = (gates_SBG, source_BS.T != PAD)
    state, memory_SBH = jax.lax.scan(step, (zero_BH, zero_BH), given)
    return memory_SBH.swapaxes(0, 1), state


def attend(weights, outputs_BTH, memory_BSH, source_BS):
    """Return logits_BTV: Luong's general attention over the real source, then the output layer."""
    keys_BSH = memory_BSH @ weights["keys"].T
    scores_BTS = jnp.einsum("bth,bsh->bts", outputs_BTH, keys_BSH)
    shares_BTS = jax.nn.softmax(jnp.where((source_BS != PAD)[:, None], scores_BTS, -jnp.inf))
    context_BTH = jnp.einsum("bts,bsh->bth", shares_BTS, memory_BSH)
    both = jnp.concatenate([outputs_BTH, context_BTH], -1)
    vectors_BTH = jnp.tanh(both @ weights["merge"].T + weights["merge_bias"])
    return vectors_BTH @ weights["output"].T + weights["output_bias"]


def loss_of(weights, source_BS, target_BT):
    """Return the mean loss of a real target token, with the reference fed everywhere."""
    memory_BSH, state = encode(weights, source_BS)
    inputs_BT = jnp.pad(target_BT[:, :-1], ((0, 0), (1, 0)), constant_values=BOS)

    def step(state, gates_BG):
        state = lstm(weights, "decoder", gates_BG, state)
        return state, state[0]

    gates_TBG = gates(weights, "decoder", weights["targets"][inputs_BT.T])
    outputs_TBH = jax.lax.scan(step, state, gates_TBG)[1]
    logits_BTV = attend(weights, outputs_TBH.swapaxes(0, 1), memory_BSH, source_BS)
    likely_BTV = jax.nn.log_softmax(logits_BTV)
    picked_BT = jnp.take_along_axis(likely_BTV, target_BT[..., None], -1)[..., 0]
    real_BT = target_BT != PAD
    return -(picked_BT * real_BT).sum() / real_BT.sum()


def exact_matches(weights, source_NS, target_NT):
    """Return how many rows greedy decoding gets right, up to the end symbol."""
    memory_NSH, state = encode(weights, source_NS)

    def step(carry, _):
        state, tokens_N = carry
        gates_NG = gates(weights, "decoder", weights["targets"][tokens_N])
        state = lstm(weights, "decoder", gates_NG, state)
        logits_N1V = attend(weights, state[0][:, None], memory_NSH, source_NS)
        tokens_N = logits_N1V[:, 0].argmax(-1)
        return (state, tokens_N), tokens_N

    first_N = jnp.full(len(source_NS), BOS)
    # an output that is right has ended after as many steps as the longest target has symbols
    outputs_TN = jax.lax.scan(step, (state, first_N), length=target_NT.shape[1])[1]
    return ((target_NT == outputs_TN.T) | (target_NT == PAD)).all(-1).sum()


def update(rate, state, batch):
    """Return the state after a step of Adam with clipping, and the loss before it."""
    weights, first, second, count = state
    loss, gradients = jax.value_and_grad(loss_of)(weights, *batch)
    norm = jnp.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(gradients)))
    factor = jnp.minimum(1.0, CLIP / (norm + 1e-6))
    gradients = jax.tree.map(lambda leaf: leaf * factor, gradients)
    count = count + 1
    first = jax.tree.map(lambda m, g: BETAS[0] * m + (1 - BETAS[0]) * g, first, gradients)
    second = jax.tree.map(lambda v, g: BETAS[1] * v + (1 - BETAS[1]) * g * g, second, gradients)
    root = jnp.sqrt(1 - BETAS[1] ** count)
    size = rate * root / (1 - BETAS[0] ** count)

    def moved(weight, m, v):
        return weight - size * m / (jnp.sqrt(v) + EPSILON * root)

    return (jax.tree.map(moved, weights, first, second), first, second, count), loss


def begun(weights):
    """Return the state before the first update of weights."""
    # each its own zeros, as the state is donated
    first, second = (jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
    return jax.tree.map(jnp.asarray, weights), first, second, jnp.zeros(())


class Trainer:
    """Holds the job, its data on the device, and the jitted functions."""

    def __init__(self, folder):
        self.folder, self.job = folder, json.loads((folder / "job.json").read_text())
        self.data = {name: jnp.asarray(rows) for name, rows in np.load(folder / "data.npz").items()}
        self.segment = jax.jit(self._segment, donate_argnums=0)
        self.exact_matches = jax.jit(exact_matches)

    def _batch(self, rows_B):
        """Return the source_BS and target_BT of these training rows."""
        return self.data["train_source"][rows_B], self.data["train_target"][rows_B]

    def _segment(self, state, order_KB):
        """Return the state after the steps on these rows, and their losses_K."""

        def step(state, rows_B):
            return update(self.job["learning_rate"], state, self._batch(rows_B))

        return jax.lax.scan(step, state, order_KB)

    def losses(self):
        """Return the losses in updates of weights that another program gave."""
        given = dict(np.load(self.folder / "given.npz"))
        order_KB = given.pop("order")
        _, losses_K = self.segment(begun(given), order_KB)
        return dict(enumerate(losses_K.tolist()))

    def train(self, seed):
        """Return the steps that a seed took to the target."""
        state = begun(started(self.job, seed))
        order, every = self._order(seed), self.job["every"]
        valid = self.data["valid_source"], self.data["valid_target"]
        for start in range(0, self.job["steps"], every):
            state, _ = self.segment(state, order[start : start + every])
            right = int(self.exact_matches(state[0], *valid))
            if right / len(valid[0]) >= self.job["target"]:
                return {"steps": start + every}
        return {"steps": math.inf}

    def _order(self, seed):
        """Return the training rows of each step (steps, B): every row once an epoch."""
        random, rows = np.random.default_rng([seed, 1]), len(self.data["train_source"])
        steps, batch = self.job["steps"], self.job["batch"]
        epochs = [random.permutation(rows) for _ in range(-(-steps * batch // rows))]
        return np.concatenate(epochs)[: steps * batch].reshape(steps, batch).astype(np.int32)


def main(folder, core):
    """Obey until the input ends."""
    # XLA takes as many threads as there are cores to run on, when it is first used
    os.sched_setaffinity(0, {core})
    trainer = Trainer(folder)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        verb, *seed = line.split()
        answer = trainer.train(int(seed[0])) if verb == "train" else trainer.losses()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
