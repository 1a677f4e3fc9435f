"""Watches a script whose symbols are one-hot arrays, as in the character example of Keras."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from bench.watching.watch import Watch

# written as such scripts are; long lines are theirs
SCRIPT = """
import random
import numpy as np
import torch
import torch.nn as nn
torch.manual_seed(0); np.random.seed(0); random.seed(0)
batch_size=32; epochs=6; latent_dim=64
digits={'0':'zero','1':'one','2':'two','3':'six','4':'ten','5':'five','6':'nine'}
input_texts=[];target_texts=[]
chars_in=set();chars_out=set()
for _ in range(600):
    n=''.join(random.choice('0123456') for _ in range(random.randint(1,2)))
    t='\\t'+' '.join(digits[c] for c in n)+'\\n'
    input_texts.append(n);target_texts.append(t)
    chars_in|=set(n);chars_out|=set(t)
chars_in=sorted(chars_in);chars_out=sorted(chars_out)
ni,no=len(chars_in),len(chars_out)
mi,mo=max(map(len,input_texts)),max(map(len,target_texts))
ti={c:i for i,c in enumerate(chars_in)};to={c:i for i,c in enumerate(chars_out)}
encoder_input_data=np.zeros((600,mi,ni),dtype='float32')
decoder_input_data=np.zeros((600,mo,no),dtype='float32')
decoder_target_data=np.zeros((600,mo,no),dtype='float32')
for i,(a,b) in enumerate(zip(input_texts,target_texts)):
    for t,c in enumerate(a): encoder_input_data[i,t,ti[c]]=1.
    for t,c in enumerate(b):
        decoder_input_data[i,t,to[c]]=1.
        if t>0: decoder_target_data[i,t-1,to[c]]=1.
class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder=nn.LSTM(ni,latent_dim,batch_first=True)
        self.decoder=nn.LSTM(no,latent_dim,batch_first=True)
        self.dense=nn.Linear(latent_dim,no)
    def forward(self,e,d):
        _,states=self.encoder(e)
        o,_=self.decoder(d,states)
        return torch.softmax(self.dense(o),dim=-1)
def categorical_crossentropy(y,p):
    return -(y*torch.log(p.clamp(1e-7,1-1e-7))).sum(-1).mean()
model=Seq2Seq()
opt=torch.optim.RMSprop(model.parameters(),lr=1e-2)
E=torch.from_numpy(encoder_input_data);D=torch.from_numpy(decoder_input_data);T=torch.from_numpy(decoder_target_data)
for epoch in range(epochs):
    perm=np.random.permutation(550);tot=0
    for s in range(0,550,batch_size):
        idx=perm[s:s+batch_size]
        loss=categorical_crossentropy(T[idx],model(E[idx],D[idx]))
        opt.zero_grad();loss.backward();opt.step();tot+=loss.item()
    print(epoch,tot)
def decode_sequence(x):
    with torch.no_grad():
        _,st=model.encoder(x)
        target_seq=torch.zeros(1,1,no);target_seq[0,0,to['\\t']]=1.
        out=''
        while True:
            o,st=model.decoder(target_seq,st)
            p=torch.softmax(model.dense(o),-1)
            k=int(np.argmax(p[0,-1].numpy()))
            out+=chars_out[k]
            if chars_out[k]=='\\n' or len(out)>mo: break
            target_seq=torch.zeros(1,1,no);target_seq[0,0,k]=1.
    return out
ok=sum(decode_sequence(E[i:i+1])==target_texts[i][1:] for i in range(550,600))
print('acc',ok/50)
"""
PLAIN = "return -(y*torch.log(p.clamp(1e-7,1-1e-7))).sum(-1).mean()"


@pytest.mark.parametrize("loss", [PLAIN, "return nn.functional.binary_cross_entropy(p,y)"])
def test_one_hot_targets_are_no_input_of_the_model(tmp_path: Path, loss: str) -> None:
    assert SCRIPT.count(PLAIN) == 1
    path = tmp_path / "train.py"
    path.write_text(SCRIPT.replace(PLAIN, loss), "utf-8")
    with Watch() as doctor:
        runpy.run_path(str(path))
    assert ([finding.cause for finding in doctor.findings], doctor.watched.unseen) == ([], ())
