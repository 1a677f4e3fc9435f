# an LSTM written by hand (four gates in one matrix), peephole-free; binary numbers + 1, low bit first
import sys, math
import torch
import torch.nn as nn

torch.set_num_threads(1)
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)


class MyLSTM(nn.Module):
    def __init__(self, input_sz, hidden_sz):
        super().__init__()
        self.hidden_size = hidden_sz
        self.W = nn.Parameter(torch.Tensor(input_sz, hidden_sz * 4))
        self.U = nn.Parameter(torch.Tensor(hidden_sz, hidden_sz * 4))
        self.bias = nn.Parameter(torch.Tensor(hidden_sz * 4))
        self.init_weights()

    def init_weights(self):
        stdv = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            weight.data.uniform_(-stdv, stdv)

    def forward(self, x, init_states=None):
        """Assumes x is of shape (batch, sequence, feature)"""
        bs, seq_sz, _ = x.size()
        hidden_seq = []
        if init_states is None:
            h_t, c_t = x.new_zeros(bs, self.hidden_size), x.new_zeros(bs, self.hidden_size)
        else:
            h_t, c_t = init_states
        HS = self.hidden_size
        for t in range(seq_sz):
            gates = x[:, t, :] @ self.W + h_t @ self.U + self.bias
            i_t, f_t = torch.sigmoid(gates[:, :HS]), torch.sigmoid(gates[:, HS:HS * 2])
            g_t, o_t = torch.tanh(gates[:, HS * 2:HS * 3]), torch.sigmoid(gates[:, HS * 3:])
            c_t = f_t * c_t + i_t * g_t
            h_t = o_t * torch.tanh(c_t)
            hidden_seq.append(h_t.unsqueeze(0))
        hidden_seq = torch.cat(hidden_seq, dim=0).transpose(0, 1).contiguous()
        return hidden_seq, (h_t, c_t)


class Net(nn.Module):
    def __init__(self, h=64):
        super().__init__()
        self.encoder, self.decoder = MyLSTM(2, h), MyLSTM(3, h)
        self.fc = nn.Linear(h, 2)

    def forward(self, x, y_in):
        _, s = self.encoder(x)
        return self.fc(self.decoder(y_in, s)[0])


BITS = 6
nums = torch.randperm(2 ** BITS - 1)
bits = lambda n, k: ((n[:, None] >> torch.arange(k)) & 1)
one_hot = lambda t, k: nn.functional.one_hot(t, k).float()
held, train = nums[:12], nums[12:]
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for it in range(320):
    n = train[torch.randint(0, len(train), (32,))]
    x, y = bits(n, BITS).flip(1), bits(n + 1, BITS)
    y_in = torch.cat([torch.full((32, 1), 2), y[:, :-1]], 1)
    loss = nn.functional.cross_entropy(net(one_hot(x, 2), one_hot(y_in, 3)).transpose(1, 2), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 80 == 79:
        print(it + 1, loss.item())
with torch.no_grad():
    x, y = bits(held, BITS).flip(1), bits(held + 1, BITS)
    _, s = net.encoder(one_hot(x, 2))
    tok, out = torch.full((len(held), 1), 2), []
    for _ in range(BITS):
        h, s = net.decoder(one_hot(tok, 3), s)
        tok = net.fc(h).argmax(-1)
        out.append(tok)
print("held-out score: %.3f" % (torch.cat(out, 1) == y).float().mean().item())
