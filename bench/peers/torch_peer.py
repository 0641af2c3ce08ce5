"""One piece of work in PyTorch, as flatmin does it; prints {"seconds": s} of one repetition.

torch_peer.py THREADS WORK [JSON]
"""
import collections
import itertools
import json
import math
import random
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

WARM_UP = 0.05  # seconds
TIME = 0.2
CALL = 1e-3  # a timed call lasts at least as long


def timed(step):
    """The median time of a step, measured as bench/program.ts does."""
    step()
    started = time.perf_counter()
    step()
    steps = max(1, round(CALL / max(1e-6, time.perf_counter() - started)))

    def call():
        begun = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - begun) / steps

    def calls(duration, least):
        end, times = time.perf_counter() + duration, []
        while len(times) < least or time.perf_counter() < end:
            times.append(call())
        return times

    calls(WARM_UP, 1)
    return statistics.median(calls(TIME, 2))


def noise(*shape, dtype="float32"):
    return (torch.rand(*shape) * 2 - 1).to(getattr(torch, dtype))


def update(method, sizes):
    params = [nn.Parameter(noise(size)) for size in sizes]
    grads = [noise(size) for size in sizes]
    for p, g in zip(params, grads):
        p.grad = g
    if method == "sgd":
        return timed(torch.optim.SGD(params, lr=1e-6, momentum=0.9, weight_decay=0.01, foreach=True).step)
    if method == "adamw":
        return timed(torch.optim.AdamW(params, lr=1e-6, weight_decay=0.01, foreach=True).step)
    moments = [torch.zeros(size) for size in sizes]

    @torch.no_grad()
    def lion():
        steps = torch._foreach_mul(moments, 0.9)
        torch._foreach_add_(steps, grads, alpha=0.1)
        for s in steps:
            s.sign_()
        torch._foreach_mul_(params, 1 - 1e-6 * 0.01)
        torch._foreach_add_(params, steps, alpha=-1e-6)
        torch._foreach_mul_(moments, 0.99)
        torch._foreach_add_(moments, grads, alpha=0.01)

    return timed(lion)


def training(model, inputs, classes, momentum, batch, labels_each=()):
    """Steps through the data in a random order, as an epoch does."""
    count = inputs.shape[0]
    labels = torch.randint(classes, (count, *labels_each))
    batches = torch.randperm(count).split(batch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=momentum)
    at = itertools.cycle(batches)

    def step():
        rows = next(at)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(inputs[rows]), labels[rows].flatten()).backward()
        optimizer.step()

    return timed(step)


def lenet5(batch):
    layers = [nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return training(nn.Sequential(*layers), noise(60 * batch, 1, 32, 32), 10, 0, batch)


def mlp(batch):
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 2))
    return training(model, noise(2000 * batch, 10), 2, 0.9, batch)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(1000, 100)
        self.lstm = nn.LSTM(100, 128, batch_first=True)
        self.head = nn.Linear(128, 13)

    def forward(self, tokens):
        return self.head(self.lstm(self.words(tokens))[0]).flatten(0, 1)


def tagger(batch, length):
    tokens = torch.randint(1000, (200 * batch, length))
    return training(Tagger(), tokens, 13, 0, batch, labels_each=(length,))


class Block(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1:
            fit = nn.Conv2d(inputs, channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(fit, nn.BatchNorm2d(channels))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


def resnet18(batch, dtype, memory_format):
    """The form for small images: a 3x3 convolution first, four stages of two blocks."""
    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    for inputs, channels, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        layers += [Block(inputs, channels, stride), Block(channels, channels, 1)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    memory_format = {"contiguous": torch.contiguous_format}.get(memory_format, torch.channels_last)
    model = nn.Sequential(*layers).to(memory_format=memory_format)
    inputs = noise(batch, 3, 32, 32).to(memory_format=memory_format)
    labels = torch.arange(batch) % 10
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()

    return timed(step)


SENTENCES_TIMED = 2000


def tagger_epoch(path, batch, gradients):
    """Sentences of a CoNLL file in a random order, packed; an epoch is in proportion to those timed.

    Words that stand there once share a number. gradients: "dense" or "sparse", of the embedding.
    """
    sentences, tags = [[]], {}
    for line in open(path, encoding="utf-8"):
        columns = line.split()
        if columns:
            sentences[-1].append((columns[0], tags.setdefault(columns[-1], len(tags))))
        elif sentences[-1]:
            sentences.append([])
    seen = collections.Counter(word for s in sentences for word, _ in s)
    known = [word for word, times in seen.items() if times > 1]
    words = {word: i + 1 for i, word in enumerate(known)}
    sentences = [torch.tensor([(words.get(w, 0), t) for w, t in s]).T for s in sentences if s]
    count = len(sentences)
    random.Random(1).shuffle(sentences)
    embedding = nn.Embedding(len(words) + 1, 100, sparse=gradients == "sparse")
    lstm, head = nn.LSTM(100, 128, batch_first=True), nn.Linear(128, len(tags))
    model = nn.ModuleList([embedding, lstm, head])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(rows):
        lengths = torch.tensor([row.shape[1] for row in rows])
        tokens = nn.utils.rnn.pad_sequence([row[0] for row in rows], batch_first=True)
        labels = nn.utils.rnn.pad_sequence([row[1] for row in rows], batch_first=True, padding_value=-1)
        packed = nn.utils.rnn.pack_padded_sequence(
            embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        hidden, _ = nn.utils.rnn.pad_packed_sequence(lstm(packed)[0], batch_first=True)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(head(hidden).flatten(0, 1), labels.flatten(), ignore_index=-1).backward()
        optimizer.step()

    def steps(chosen):
        for at in range(0, len(chosen), batch):
            step(chosen[at : at + batch])

    steps(sentences[: SENTENCES_TIMED // 10])
    begun = time.perf_counter()
    steps(sentences[:SENTENCES_TIMED])
    seconds = time.perf_counter() - begun
    return seconds * count / SENTENCES_TIMED, f"{SENTENCES_TIMED} of {count} sentences"


def convolution(image, dtype="float32"):
    """3x3 with as many channels as it has, and batch norm: forward and every gradient."""
    channels = image[1]
    x = noise(*image, dtype=dtype).requires_grad_()
    w = noise(channels, channels, 3, 3, dtype=dtype).requires_grad_()
    scale, shift = (noise(channels, dtype=dtype).requires_grad_() for _ in range(2))
    dy = noise(*image, dtype=dtype)

    def step():
        x.grad = w.grad = scale.grad = shift.grad = None
        y = F.conv2d(x, w, padding=1)
        F.batch_norm(y, None, None, scale, shift, training=True).backward(dy)

    return timed(step)


def attend(q, k, v, heads, seen):
    """Causal attention by matrix products, the weights of all steps in memory."""
    batch, steps, width = q.shape
    q, k, v = (x.view(batch, steps, heads, -1).transpose(1, 2) for x in (q, k, v))
    scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
    return (weights @ v).transpose(1, 2).reshape(batch, steps, width)


def attention(batch, steps, heads, dim):
    q, k, v = (noise(batch, steps, heads * dim).requires_grad_() for _ in range(3))
    dy = noise(batch, steps, heads * dim)
    seen = torch.ones(steps, steps, dtype=torch.bool).tril()

    def step():
        q.grad = k.grad = v.grad = None
        attend(q, k, v, heads, seen).backward(dy)

    return timed(step)


class Gpt2Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.c_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, seen):
        q, k, v = self.c_attn(self.ln_1(x)).chunk(3, -1)
        x = x + self.c_proj(attend(q, k, v, self.heads, seen))
        return x + self.c_out(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    """GPT-2 with 124 M parameters, whose head is the tokens' table."""

    def __init__(self, vocabulary=50257, context=1024, layers=12, heads=12, width=768):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.h = nn.ModuleList(Gpt2Block(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens):
        steps = tokens.shape[1]
        seen = torch.ones(steps, steps, dtype=torch.bool).tril()
        x = self.wte(tokens) + self.wpe.weight[:steps]
        for block in self.h:
            x = block(x, seen)
        return self.ln_f(x) @ self.wte.weight.T


def gpt2(batch, steps):
    model = Gpt2()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    tokens = (torch.arange(batch * steps) * 7919 % 50257).view(batch, steps)

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()
        optimizer.step()

    return timed(step)


def matmul(m, n, k, dtype="float32"):
    a, b = noise(m, k, dtype=dtype), noise(k, n, dtype=dtype)
    return timed(lambda: a @ b)


def roots(count, n):
    x = noise(count, n, 2 * n)
    a = x @ x.transpose(1, 2) / (2 * n) + 1e-4 * torch.eye(n)
    return timed(lambda: inverse_fourth_roots(a))


def inverse_fourth_roots(a):
    values, vectors = torch.linalg.eigh(a)
    return (vectors * values.pow(-0.25).unsqueeze(-2)) @ vectors.transpose(-2, -1)


def conditioned_roots(count, n, condition):
    """Of the matrix of bench/roots.ts, with the residual max |A X^4 - I| in float64."""
    state, vectors = 1, []
    for _ in range(2 * n):
        state = (state * 1664525 + 1013904223) % 2**32
        vectors.append((state - (state >> 31 << 32)) / 2**31)
    a = torch.diag(torch.logspace(0, -math.log10(condition), n, dtype=torch.float64))
    for v in torch.tensor(vectors).double().view(2, n):
        h = torch.eye(n, dtype=torch.float64) - 2 * torch.outer(v, v) / v.dot(v)
        a = h @ a @ h
    a = a.float()
    batch = a.expand(count, n, n).contiguous()
    x = inverse_fourth_roots(batch)[-1].double()
    residual = (a.double() @ torch.linalg.matrix_power(x, 4) - torch.eye(n)).abs().max().item()
    return timed(lambda: inverse_fourth_roots(batch)), f"residual {residual:.1e}"


WORKS = {
    f.__name__: f
    for f in (
        *(update, lenet5, resnet18, mlp, tagger, tagger_epoch),
        *(attention, gpt2, convolution, matmul, roots, conditioned_roots),
    )
}

threads, work = int(sys.argv[1]), sys.argv[2]
arguments = json.loads(sys.argv[3]) if len(sys.argv) > 3 else []
torch.set_num_threads(threads)
torch.manual_seed(0)
result = WORKS[work](*arguments)
seconds, measured = result if isinstance(result, tuple) else (result, None)
sample = {"seconds": seconds}
if measured:
    sample["measured"] = measured
if work in ("resnet18", "tagger_epoch"):
    sample["memory"] = {"peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
print(json.dumps(sample))
