# mypy: ignore-errors
"""Runs in an environment with torchtest2: gives training scripts' models to its `check_model`.

python torchtest2_worker.py FOLDER runs each .py file of the folder until its first backward pass,
in a process of its own, checks what the script has made by then, and writes NAME.json beside it:
{"error": ..., "results": [[check, status, message], ...]}. Nothing of this suite is imported.

torchtest2 is called as its documentation says of models that are not trained by model(inputs):
`forward_fn` is made of the script's own lines from the beginning of the step to loss.backward(),
so that slips in them stay; `eval_forward_fn` calls the first module that the step called, with
what it was given.
"""

import ast
import contextlib
import io
import json
import multiprocessing
import sys
from pathlib import Path

import torch
import torchtest2
from torch import nn

OVERFIT_STEPS = 60
MOST_SECONDS = 300


class Stop(BaseException):
    """Raised in the script at its first backward pass."""


def main(path, seed):
    """Run the script up to its first backward pass and print what torchtest2 says."""
    calls, optimizers, stopped = [], [], {}
    original, init = torch.Tensor.backward, torch.optim.Optimizer.__init__

    def backward(tensor, *args, **kwargs):
        frame = sys._getframe(1)
        while frame.f_code.co_filename != path:
            frame = frame.f_back
        stopped["frame"] = frame
        raise Stop

    def made(optimizer, *args, **kwargs):
        init(optimizer, *args, **kwargs)
        optimizers.append(optimizer)

    def called(module, args):
        if torch.is_grad_enabled() and module.training and outermost(path):
            calls.append((module, args))

    torch.Tensor.backward, torch.optim.Optimizer.__init__ = backward, made
    hook = nn.modules.module.register_module_forward_pre_hook(called)
    source = Path(path).read_text("utf-8")
    sys.argv = [path, seed]
    values = {"__name__": "__main__", "__file__": path}
    values["_step_begins"] = lambda line, names: stopped.update({line: dict(names)})
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(noting(ast.parse(source)), path, "exec"), values)
        raise RuntimeError("the script ended without a backward pass")
    except Stop:
        pass
    finally:
        hook.remove()
        torch.Tensor.backward, torch.optim.Optimizer.__init__ = original, init
    with contextlib.redirect_stdout(out):
        return check(source, stopped, calls, optimizers)


def outermost(path):
    """Return whether no other module's call lies between this one and the script."""
    frame, modules = sys._getframe(2), 0
    while frame is not None and frame.f_code.co_filename != path:
        modules += frame.f_code.co_name == "_call_impl"
        frame = frame.f_back
    return modules <= 1


def noting(tree):
    """Put a note of all names before each list of statements with a backward()."""
    for line, statements, _ in list(steps(tree)):
        note = ast.parse(f"_step_begins({line}, locals())").body[0]
        ast.copy_location(note, statements[0])
        statements.insert(0, ast.fix_missing_locations(note))
        for inner in ast.walk(note):
            ast.copy_location(inner, statements[1])
    return tree


def check(source, stopped, calls, optimizers):
    """Give what the script has made to torchtest2 and return its results."""
    if not calls:
        raise RuntimeError("no nn.Module is called in the step: there is no model to check")
    modules = list(dict.fromkeys(module for module, _ in calls))
    model = modules[0] if len(modules) == 1 else nn.ModuleList(modules)
    first, args = calls[0]
    frame = stopped["frame"]
    step = replayed(source, frame, stopped[frame.f_lineno])
    report = torchtest2.check_model(
        model,
        tuple(args),
        forward_fn=lambda model, inputs, targets: step(),
        eval_forward_fn=lambda model, inputs: first(*inputs),
        loss_fn=lambda loss: loss,
        optimizer=optimizers[0] if len(optimizers) == 1 else None,
        batch_dim=batch_dim(args, size_of_batch(frame)),
        overfit_steps=OVERFIT_STEPS,
    )
    return [[r.name, str(r.status), r.message] for r in report]


def batch_dim(args, size):
    """Return the axis of the batch among the inputs, None if they have none."""
    tensors = [a for a in args if isinstance(a, torch.Tensor) and a.dim() >= 2]
    if not tensors or size is None:
        return None
    for axis in (0, 1):
        if tensors[0].shape[axis] == size:
            return axis
    return None


class FirstOnly(ast.NodeTransformer):
    """Turns next(batches) into the batch that it gave first, as the checks want one batch."""

    def visit_Call(self, node):
        """Wrap calls of next."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "next":
            later = ast.Lambda(ast.arguments([], [], None, [], [], None, []), node)
            return ast.Call(ast.Name("_first_only", ast.Load()), [later], [])
        return node


def replayed(source, frame, before):
    """Return a function that runs the step's own lines again and returns its loss.

    before: the values of all names when the step began.
    """
    ((statements, at),) = [
        (body, index) for line, body, index in steps(ast.parse(source)) if line == frame.f_lineno
    ]
    lines = [s for s in statements[:at] if "zero_grad" not in ast.unparse(s)]
    loss = ast.Assign([ast.Name("_loss", ast.Store())], statements[at].value.func.value)
    module = FirstOnly().visit(ast.Module([*lines, loss], []))
    code = compile(ast.fix_missing_locations(module), "step", "exec")
    first = {}

    def first_only(later):
        if not first:
            first["batch"] = later()
        return first["batch"]

    def step():
        values = {**frame.f_globals, **before, "_first_only": first_only}
        exec(code, values)
        return values["_loss"]

    return step


def size_of_batch(frame):
    """Return the number of examples: the commonest size among the step's tensors of ids."""
    for name in ("batch_size", "BATCH_SIZE"):
        value = frame.f_locals.get(name, frame.f_globals.get(name))
        if isinstance(value, int):
            return value
    config = getattr(frame.f_locals.get("self"), "cfg", None)
    if config is not None:
        return config.batch_size
    loader = frame.f_globals.get("train_loader")
    return getattr(loader, "batch_size", None)


def steps(tree):
    """Yield the line of each backward(), the statements beside it, and its place among them."""
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            statements = getattr(node, name, None)
            for index, one in enumerate(statements if isinstance(statements, list) else []):
                call = one.value if isinstance(one, ast.Expr) else None
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".backward"):
                    yield one.lineno, statements, index


def answer(path):
    """Check one script and write what was found beside it."""
    torch.set_num_threads(1)
    found = {"error": "", "results": []}
    try:
        found["results"] = main(str(path), "0")
    except (Exception, SystemExit) as error:
        found["error"] = f"{type(error).__name__}: {error}"
    path.with_suffix(".json").write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    # a process for each script, begun as a copy of this one, which has torch loaded
    context = multiprocessing.get_context("fork")
    for script in sorted(Path(sys.argv[1]).glob("*.py")):
        if not script.with_suffix(".json").exists():
            process = context.Process(target=answer, args=(script,))
            process.start()
            process.join(MOST_SECONDS)
            if process.is_alive():
                process.kill()
                late = {"error": f"not done after {MOST_SECONDS} seconds", "results": []}
                script.with_suffix(".json").write_text(json.dumps(late), "utf-8")
            print(script.stem, file=sys.stderr, flush=True)
