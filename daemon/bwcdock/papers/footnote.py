"""The footnote of a paper: what it rests on, in the words both renderers print."""

from bwcdock.papers.model import Proof
from bwcdock.papers.text import one_line, runs


def footnote(proof: Proof) -> list[str]:
    """The rules it serves with their exact words, then the entries it rests on and the head signed over them."""
    told = [f"依据：《{one_line(r.regulation)}》{one_line(r.article)}：“{one_line(r.quote)}”" for r in proof.rules]
    under = [seq for seq in proof.entries if seq < proof.head_size]
    later = [seq for seq in proof.entries if seq >= proof.head_size]
    told.append(f"证明：本件内容取自采集站台账 {one_line(proof.origin)} 第 {runs(proof.entries) or '—'} 条。")
    if under:
        told.append(f"上述条目在共 {proof.head_size} 条的已签名树首之下，树根 {proof.head_root}")
    if later:
        told.append(f"第 {runs(later)} 条尚待下一次签名。")
    return told
