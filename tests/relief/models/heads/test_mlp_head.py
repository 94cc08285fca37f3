import torch
import torch.nn.functional as F

from relief.models.heads.mlp_head import MLPHead


def test_every_token_is_mapped_by_itself():
    head = MLPHead(width=6, codes=4, dim=3).eval()
    tokens = torch.randn(2, 4, 6, generator=torch.manual_seed(0))
    p = head.state_dict()
    with torch.no_grad():
        hidden = F.relu(tokens @ p["f2.0.weight"][..., 0, 0].T + p["f2.0.bias"])
        expected = tokens @ p["f1.weight"][..., 0, 0].T + p["f1.bias"]
        expected = expected + hidden @ p["f2.2.weight"][..., 0, 0].T + p["f2.2.bias"]
        found = head(tokens, (2, 2))
    torch.testing.assert_close(found, expected.mT.unflatten(2, (2, 2)), atol=1e-6, rtol=0)


def test_dropout_acts_while_it_learns():
    head, tokens = MLPHead(6, 4, dim=3).train(), torch.ones(1, 4, 6)
    assert not torch.equal(head(tokens, (2, 2)), head(tokens, (2, 2)))
