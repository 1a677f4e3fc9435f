# one sentence at a time, SGD with momentum, dot attention
import random, sys, math
import torch, torch.nn as nn, torch.nn.functional as F

torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed); torch.manual_seed(seed)
colours = dict(rot="red", blau="blue", gruen="green", weiss="white")
things = dict(haus="house", ball="ball", hund="dog", tisch="table", buch="book")

def pair():
    d, e = ["ein"], ["a"]
    k = random.choice([0, 1, 1])
    for c in random.sample(list(colours), k):
        d.append(c + "es"); e.append(colours[c])
    t = random.choice(list(things)); d.append(t); e.append(things[t])
    if random.random() < .5:
        c = random.choice(list(colours)); d += ["ist", c]; e += ["is", colours[c]]
    return d, e

pairs = [pair() for _ in range(900)]
test, train = pairs[:60], pairs[60:]
sv, tv = {"EOS": 0}, {"EOS": 0, "SOS": 1}
for d, e in pairs:
    for w in d: sv.setdefault(w, len(sv))
    for w in e: tv.setdefault(w, len(tv))
back = {i: w for w, i in tv.items()}
H = 40
enc_e, enc = nn.Embedding(len(sv), H), nn.GRU(H, H)
dec_e, dec = nn.Embedding(len(tv), H), nn.GRU(H, H)
out = nn.Linear(2 * H, len(tv))
params = [p for m in (enc_e, enc, dec_e, dec, out) for p in m.parameters()]
opt = torch.optim.SGD(params, lr=0.03, momentum=0.9)

def run_step(tok, h, mem):
    o, h = dec(dec_e(tok).view(1, 1, -1), h)
    a = F.softmax(mem.squeeze(1) @ o.view(-1), dim=0)
    c = a @ mem.squeeze(1)
    return F.log_softmax(out(torch.cat([o.view(1, -1), c.view(1, -1)], 1)), dim=1), h

def translate(d):
    with torch.no_grad():
        mem, h = enc(enc_e(torch.tensor([sv[w] for w in d] + [0])).unsqueeze(1))
        tok, r = torch.tensor([1]), []
        for _ in range(8):
            lp, h = run_step(tok, h, mem)
            tok = lp.argmax(1)
            if tok.item() == 0: break
            r.append(back[tok.item()])
    return r

total = 0
for i, (d, e) in enumerate(train, 1):
    mem, h = enc(enc_e(torch.tensor([sv[w] for w in d] + [0])).unsqueeze(1))
    tok, loss = torch.tensor([1]), 0
    for w in [tv[w] for w in e] + [0]:
        lp, h = run_step(tok, h, mem)
        loss = loss + F.nll_loss(lp, torch.tensor([w]))
        tok = torch.tensor([w])
    opt.zero_grad()
    (loss / (len(e) + 1)).backward()
    nn.utils.clip_grad_norm_(params, 1.0)
    opt.step()
    total += loss.item() / (len(e) + 1)
    if i % 200 == 0:
        print(i, total / 200); total = 0
print("held-out score: %.3f" % (sum(translate(d) == e for d, e in test) / len(test)))
